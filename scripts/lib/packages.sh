# shellcheck shell=bash
# Debian packages: found missing in a moment, installed only then.

# missing_packages SPEC...: of NAME=PATTERN, those not installed in a version that fits.
missing_packages() {
  local spec name pattern version
  local -A installed=()
  while read -r name version; do
    [[ -n $version ]] && installed[${name%%:*}]=$version
  done < <(dpkg-query -W -f '${binary:Package} ${db:Status-Status} ${Version}\n' 2>/dev/null |
    awk '$2 == "installed" { print $1, $3 }')
  for spec in "$@"; do
    name=${spec%%=*} pattern=${spec#*=}
    # shellcheck disable=SC2053  # the right side is meant as a pattern
    [[ ${installed[$name]:-} == $pattern ]] || printf '%s\n' "$spec"
  done
}

# ensure_packages SPEC...
ensure_packages() {
  local missing=()
  command -v dpkg-query >/dev/null || die "this is not Debian: install by hand what scripts/lib/pins.sh lists"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return
  local quoted
  quoted=$(printf " '%s'" "${missing[@]}")
  local line="apt-get update && apt-get install --no-install-recommends$quoted"
  local as_root=()
  if ((EUID != 0)); then
    # sudo may ask for a password only where someone is there to give it
    if ! command -v sudo >/dev/null || ! { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
      die "${#missing[@]} packages are missing, and this is neither root nor sudo. As root:
  $line"
    fi
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages:$quoted"
  "${as_root[@]}" bash -euo pipefail -c "$(declare -f install_quietly); install_quietly \"\$@\"" install "${missing[@]}" ||
    die "apt could not install them. Try by hand, as root:
  $line"
}

# Runs as root. Installs packages but leaves no server of theirs running, now or at the next boot, and no database
# cluster behind: the stack starts its own.
install_quietly() {
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d/crossover.conf made=() new=() unit
  # shellcheck disable=SC2317  # called by the trap
  tidy() { rm -f "${made[@]}"; }
  trap tidy EXIT
  if [[ ! -e $policy ]]; then
    made+=("$policy")
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  if [[ ! -e $cluster ]]; then
    made+=("$cluster")
    mkdir -p "${cluster%/*}"
    echo 'create_main_cluster = false' >"$cluster"
  fi
  for unit in redis-server postgresql pgbouncer; do
    [[ -e /lib/systemd/system/$unit.service ]] || new+=("$unit")
  done
  apt-get update -q=2
  apt-get install -y -q=2 --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >/dev/null
  if command -v systemctl >/dev/null; then
    for unit in "${new[@]}"; do systemctl -q disable "$unit" 2>/dev/null || true; done
  fi
}
