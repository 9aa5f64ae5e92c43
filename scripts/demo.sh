#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 to 3,200 real films migrated from Neo4j to Milvus.
#
# Installs what is missing, builds, starts the servers in .stack, loads data/ into Neo4j and takes it through the phases of
# the guide with the real tool. Run again, it does only what is left to do.
#
#   --help    this text
set -euo pipefail
# shellcheck source=scripts/lib/all.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
cd "$ROOT"

while (($#)); do
  case $1 in
    -h | --help) usage "$0"; exit ;;
    *) warn "demo.sh: unknown argument $1 (see --help)"; exit 2 ;;
  esac
done

if [[ -t 1 ]]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
chapter() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# run COMMAND...: shown as one would type it, then run.
run() {
  local shown
  shown=$(printf ' %q' "$@")
  printf '%s$%s%s\n' "$bold" "$shown" "$plain"
  "$@"
}

chapter 'What is needed'
./scripts/setup.sh
say 'All is installed.'

chapter 'Build'
build release migrate

chapter 'Servers'
run ./scripts/stack.sh up
# shellcheck disable=SC2016  # shown, not expanded
printf '%s$ eval "$(./scripts/stack.sh env)"%s\n' "$bold" "$plain"
eval "$(./scripts/stack.sh env)"

chapter 'Films into Neo4j, as a running recommender has them'
run ./scripts/load_media.py data/movies.ndjson --embeddings data/movies-embeddings.npy

migrate=build/release/bin/migrate
job=(--checkpoint-file .stack/checkpoint.json --quarantine-file .stack/quarantine.ndjson)

chapter '1. Is all ready?'
run "$migrate" preflight
chapter '2. What would happen?'
run "$migrate" migrate-embeddings --dry-run "${job[@]}"
chapter '3. Copy the embeddings from Neo4j to Milvus'
run "$migrate" migrate-embeddings "${job[@]}"
chapter '4. Are both the same?'
run "$migrate" validate --full-scan

chapter 'Out of Milvus'
run ./scripts/python scripts/lib/nearest.py 'The Matrix'

chapter 'Look around'
cat <<'TEXT'
The servers stay up. In this shell or another:
  eval "$(./scripts/stack.sh env)"                             their addresses and passwords
  build/release/bin/migrate --help                             every command
  ./scripts/python scripts/lib/nearest.py 'Toy Story'          another film
  ./scripts/stack.sh kill milvus                               break something, then: start milvus
Your own data: ./scripts/load_media.py --help
To take it down: ./scripts/stack.sh down, and rm -rf .stack to remove the data too.
TEXT
