#!/usr/bin/env bash
# demo.sh: from a bare Debian 12 to 3,200 real films migrated from Neo4j to Milvus under a running service.
#
# Installs what is missing, builds, starts the servers in .stack, loads data/ into Neo4j, starts the recommendation-engine with
# traffic on it, and takes both through the phases of the guide. Run again, it does only what is left to do.
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
build release migrate recommendation-engine

chapter 'Servers'
run ./scripts/stack.sh up
# shellcheck disable=SC2016  # shown, not expanded
printf '%s$ eval "$(./scripts/stack.sh env)"%s\n' "$bold" "$plain"
eval "$(./scripts/stack.sh env)"

chapter 'Films into Neo4j, as a running recommender has them'
run ./scripts/load_media.py data/movies.ndjson --embeddings data/movies-embeddings.npy

chapter 'Users who do not exist, and what they have watched'
run ./scripts/load_viewings.py

migrate=build/release/bin/migrate
job=(--checkpoint-file .stack/checkpoint.json --quarantine-file .stack/quarantine.ndjson)

chapter '1. Is all ready?'
run "$migrate" preflight
chapter '2. What would happen?'
run "$migrate" migrate-embeddings --dry-run "${job[@]}"

engine_log=.stack/logs/recommendation-engine.log
config=.stack/config.yaml
engine='' traffic=''

# What an earlier run has handed over stays there.
agentdb=$(sed -n 's/^agentdb: {mode: \(.*\)}$/\1/p' "$config" 2>/dev/null || true)
agentdb=${agentdb:-redis} storage=neo4j_only

# write_modes: into the file that the engine reads on SIGHUP.
write_modes() { printf 'storage: {mode: %s}\nagentdb: {mode: %s}\n' "$storage" "$agentdb" >"$config"; }

start_engine() {
  write_modes
  printf '%s$ build/release/bin/recommendation-engine --config %s%s\n' "$bold" "$config" "$plain"
  : >"$engine_log" # an earlier run's says where that one listened
  build/release/bin/recommendation-engine --config "$config" --listen 127.0.0.1:0 --shadow-share 0.5 2>>"$engine_log" &
  engine=$!
  until address=$(sed -n 's/.*event=listening.* address=\([^ ]*\).*/\1/p' "$engine_log") && [[ -n $address ]]; do
    kill -0 "$engine" 2>/dev/null || die "the engine ended: $(tail -n 3 "$engine_log")"
    sleep 0.1
  done
  say "It answers on $address; its log is $engine_log."
}

# turn MODE: as an operator does it.
turn() {
  storage=$1
  write_modes
  printf '%s$ echo "storage: {mode: %s}" > %s && kill -HUP %s%s\n' "$bold" "$1" "$config" "$engine" "$plain"
  kill -HUP "$engine"
  ./scripts/python scripts/lib/ask_engine.py "$address" wait-for-mode "$1"
}

# turn_agentdb MODE: likewise, of what is learnt of users.
turn_agentdb() {
  agentdb=$1
  write_modes
  printf '%s$ echo "agentdb: {mode: %s}" >> %s && kill -HUP %s%s\n' "$bold" "$1" "$config" "$engine" "$plain"
  kill -HUP "$engine"
  ./scripts/python scripts/lib/ask_engine.py "$address" wait-for-agentdb "$1"
}

# count_experiences: in both stores, when no client writes any more.
count_experiences() {
  local in_postgres in_redis
  in_postgres=$(psql -X -q -At "$DATABASE_URL" -c 'SELECT count(*) FROM rl_experiences')
  in_redis=$(./scripts/python -c 'import os, redis
print(len(set(redis.Redis.from_url(os.environ["REDIS_URL"]).scan_iter("rl:experience:*", count=1000))))')
  say "PostgreSQL has $in_postgres experiences. Redis keeps the $in_redis that it had when it handed over."
}

finish() {
  [[ -z $traffic ]] || kill "$traffic" 2>/dev/null || true
  [[ -z $engine ]] || kill "$engine" 2>/dev/null || true
}
trap finish EXIT

chapter 'The service, as it was: everything in Neo4j'
start_engine
./scripts/python scripts/lib/traffic.py "$address" data/movies.ndjson &
traffic=$!
say 'Eight clients search, write, ask for recommendations and say how they liked them from now on.'
chapter '3. Write to both'
turn dual_write
chapter '4. Copy the embeddings from Neo4j to Milvus'
run "$migrate" migrate-embeddings "${job[@]}"
chapter '5. Are both the same?'
run "$migrate" validate --full-scan
chapter '6. Search Milvus, with Neo4j standing by'
turn shadow_milvus
run ./scripts/python scripts/lib/ask_engine.py "$address" wait-for-source milvus
sleep 5 # for traffic to compare
chapter '7. Hybrid: vectors from Milvus, the graph from Neo4j'
turn hybrid
sleep 5 # for traffic to measure
run ./scripts/python scripts/lib/ask_engine.py "$address" latency

chapter '8. What is learnt of users: from Redis to PostgreSQL'
if [[ $agentdb == postgres ]]; then
  say 'An earlier run has moved it.'
else
  turn_agentdb dual
  run "$migrate" migrate-agentdb
  turn_agentdb postgres
fi
sleep 2 # for traffic to teach PostgreSQL

chapter 'What the clients noticed'
kill "$traffic"
wait "$traffic" || die 'a request failed; the lines above say which'
traffic=''
count_experiences

chapter 'Vectors and graph together'
run ./scripts/python scripts/lib/ask_engine.py "$address" recommend user-0007
chapter 'Out of Milvus'
run ./scripts/python scripts/lib/nearest.py 'The Matrix'
kill "$engine"
wait "$engine" || die "the engine did not end well; see $engine_log"
engine=''

chapter 'Look around'
cat <<'TEXT'
The servers stay up. In this shell or another:
  eval "$(./scripts/stack.sh env)"                             their addresses and passwords
  build/release/bin/migrate --help                             every command
  build/release/bin/recommendation-engine --config .stack/config.yaml    the service, in hybrid mode
  ./scripts/python scripts/lib/nearest.py 'Toy Story'          another film
  ./scripts/stack.sh kill milvus                               break something, then: start milvus
Your own data: ./scripts/load_media.py --help
To take it down: ./scripts/stack.sh down, and rm -rf .stack to remove the data too.
TEXT
