# shellcheck shell=bash disable=SC2034
# What every script here stands on: where things are, how to speak, how to fetch something once.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Downloads live outside the clone, so that a second clone finds them ready.
CACHE=${CROSSOVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossover}

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "error: $*"; exit 1; }

# usage FILE: prints the comment block at the head of a script, which is its help.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"; }

# seconds_since EPOCHREALTIME: "4.2"
seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

# once NAME COMMAND...: runs COMMAND FOLDER in a fresh folder $CACHE/NAME, unless that was done before. NAME carries
# the version, so a new pin is a new folder. Two runs at once: the second waits for the first.
once() {
  local name=$1 folder=$CACHE/$1
  shift
  [[ -e $folder/.complete ]] && return
  mkdir -p "$CACHE"
  (
    flock 8
    [[ -e $folder/.complete ]] && exit
    say "fetching $name"
    rm -rf "$folder"
    mkdir "$folder"
    "$@" "$folder" 8>&-
    touch "$folder/.complete"
  ) 8>"$CACHE/.$name.lock"
}

# attempt COMMAND...: registries have bad moments; three tries, then give up.
attempt() {
  local try
  for try in 1 2 3; do
    "$@" && return
    ((try == 3)) || { warn "that failed; trying again in $((try * 5)) s"; sleep $((try * 5)); }
  done
  die "gave up after three tries: $*"
}

# build PRESET [TARGET...]: in build/PRESET.
build() {
  local preset=$1 started=$EPOCHREALTIME log=$ROOT/build/$1.log
  shift
  mkdir -p "$ROOT/build"
  say "building build/$preset (minutes the first time)"
  (cd "$ROOT" && cmake --preset "$preset") >"$log" 2>&1 || { tail -n 40 "$log" >&2; die "cmake failed; all of it is in $log"; }
  local command=(cmake --build "$ROOT/build/$preset" --parallel "$(nproc)")
  (($# == 0)) || command+=(--target "$@")
  # On a terminal ninja shows one line that moves; elsewhere its hundreds of lines matter only when it fails.
  if [[ -t 1 ]]; then
    "${command[@]}" || die 'the build failed'
  else
    "${command[@]}" >>"$log" 2>&1 || { tail -n 60 "$log" >&2; die "the build failed; all of it is in $log"; }
  fi
  say "built in $(seconds_since "$started") s"
}
