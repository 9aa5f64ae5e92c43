#!/usr/bin/env bash
# test.sh [--sanitize] [--long] [FILTER...]: set up what is missing, build once, and run every test against real servers.
#
# Unit and integration tests (C++, against a stack of their own) and the model of the protocol (spin), then end-to-end
# tests (pytest: the real binaries, judged by the official Python clients). A server that is missing or does not start
# is a failure.
#
#   FILTER       only the tests whose name contains one of these
#   --sanitize   also build with the address, undefined-behaviour and thread sanitizers and run unit and integration
#                tests with each
#   --long       also what takes hours: many more kills and hot ids, by other seeds, and the copy, the validation and the
#                engine against every line of Neo4j that scripts/lib/pins.sh names
#   --help       this text
#
# After a failure the logs, the servers' too, are in build/test-logs.
set -euo pipefail
# shellcheck source=scripts/lib/all.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
cd "$ROOT"

sanitize=no long=no filters=()
while (($#)); do
  case $1 in
    --sanitize) sanitize=yes ;;
    --long) long=yes ;;
    -h | --help) usage "$0"; exit ;;
    -*) warn "test.sh: unknown option $1 (see --help)"; exit 2 ;;
    *) filters+=("$1") ;;
  esac
  shift
done

LONG_SEEDS=10
LONG_ROUNDS=60
logs=$ROOT/build/test-logs
work=$(mktemp -d)
chmod 711 "$work" # PostgreSQL may have to pass through as another user

stop_servers() {
  local stack
  for stack in servers bolt6; do
    [[ ! -d $work/$stack ]] || ./scripts/stack.sh down --dir "$work/$stack" >/dev/null 2>&1 || true
  done
}

finish() {
  local status=$? stack
  stop_servers
  for stack in servers bolt6; do
    ((status == 0)) || cp -r "$work/$stack/logs" "$logs/$stack" 2>/dev/null || true
  done
  for stack in servers agentdb; do
    ((status == 0)) || cp -r "$work/e2e/${stack}0/logs" "$logs/e2e-$stack" 2>/dev/null || true
  done
  rm -rf "$work"
  ((status == 0)) || warn "FAILED; logs are in $logs"
}
trap finish EXIT
rm -rf "$logs"
mkdir -p "$logs"

# joined WORD: the filters with WORD between them.
joined() {
  local all=${filters[0]} one
  for one in "${filters[@]:1}"; do all+=$1$one; done
  printf '%s\n' "$all"
}

run_ctest() {
  local preset=$1 command=(ctest --test-dir "build/$1" --output-on-failure --no-tests=error)
  [[ $1 == release ]] || command+=(--label-exclude model)
  shift
  ((${#filters[@]} == 0)) || command+=(--tests-regex "$(joined '|')" --no-tests=ignore)
  say "== ctest, build/$preset"
  "$@" "${command[@]}" 2>&1 | tee "$logs/ctest-$preset.log"
}

# run_pytest NAME FILE...: what it printed is then in NAME.log
run_pytest() {
  # Where a server died for good, the rest would only wait for it, test by test.
  local name=$1 status=0 command=(./scripts/python -m pytest "${@:2}" -ra --durations=10 -p no:cacheprovider --maxfail=5)
  command+=(--basetemp="$work/e2e")
  ((${#filters[@]} == 0)) || command+=(-k "$(joined ' or ')")
  say "== pytest, $name"
  PYTHONDONTWRITEBYTECODE=1 "${command[@]}" 2>&1 | tee "$logs/$name.log" || status=$?
  # 5: nothing was selected, which a filter may well mean
  ((status == 0 || (status == 5 && ${#filters[@]} > 0)))
}

start_servers() {
  ./scripts/stack.sh up --dir "$work/servers"
  ./scripts/stack.sh up --dir "$work/bolt6" --servers neo4j --neo4j-version 2025
  eval "$(./scripts/stack.sh env --dir "$work/bolt6" | sed 's/^export NEO4J_/export BOLT6_/')"
  eval "$(./scripts/stack.sh env --dir "$work/servers")"
}

run_long() {
  local seed line
  for seed in $(seq 1 "$LONG_SEEDS"); do
    CROSSOVER_SEED=$seed CROSSOVER_ROUNDS=$LONG_ROUNDS run_pytest "seed-$seed" tests/e2e/test_kill.py tests/e2e/test_hot_ids.py
  done
  for line in "${!NEO4J_VERSIONS[@]}"; do
    CROSSOVER_NEO4J_LINE=$line run_pytest "neo4j-$line" tests/e2e/test_{migrate_embeddings,validate,preflight,late_writes,engine}.py
  done
}

./scripts/setup.sh --tests
build release
start_servers
run_ctest release
stop_servers # the end-to-end tests start servers of their own, and need the memory for them
run_pytest e2e tests/e2e
[[ $long == no ]] || run_long

if [[ $sanitize == yes ]]; then
  start_servers
  for preset in asan tsan; do
    build "$preset"
    # gcc 12's thread sanitizer does not know the memory layouts that newer kernels choose at random
    run_ctest "$preset" setarch "$(uname -m)" -R
  done
fi
say 'All tests passed.'
