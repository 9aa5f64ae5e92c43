#!/usr/bin/env bash
# stack.sh up|down|status|env|kill SERVER|start SERVER [OPTION...]: real servers for trying things out.
#
# Neo4j, Milvus, PostgreSQL and Redis as local processes under one folder: on loopback only, on free ports that stay
# the same for the life of the folder, with passwords of their own. Several stacks can run side by side.
#
#   up             start what is not running and wait until it is ready (makes the stack the first time)
#   down           stop all; the data stays, and `up` brings it back
#   status         one line a server; exit status 1 unless all run
#   env            addresses and passwords as shell exports:  eval "$(./scripts/stack.sh env)"
#   kill SERVER    SIGKILL, to see what happens
#   start SERVER   bring it back on the same port and data
#
#   --dir D                      the stack's folder (default: .stack in the clone)
#   --servers S[,S...]           with up: only these of neo4j, milvus, postgres, redis
#   --neo4j-version LINE         with up, for a new stack: 5.15, 5.26 (the default), 2025 or 2026 (these two speak Bolt 6)
#   --help                       this text
#
# Logs are in D/logs, process ids in D/run. To remove a stack: down, then delete D. What an administrator would set
# in Neo4j's configuration may stand in D/neo4j.conf.
set -euo pipefail
# shellcheck source=scripts/lib/all.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"
for part in process neo4j milvus postgres redis; do
  # shellcheck disable=SC1090
  source "$ROOT/scripts/lib/$part.sh"
done

ALL_SERVERS=(neo4j milvus postgres redis)
READY_WITHIN=180 # seconds; a busy machine is slow, not broken

bad_usage() { warn "stack.sh: $* (see --help)"; exit 2; }

is_server() { [[ " ${ALL_SERVERS[*]} " == *" $1 "* ]]; }

parse() {
  COMMAND='' SERVER='' DIR=$ROOT/.stack WANTED=() WANTED_LINE=''
  while (($#)); do
    case $1 in
      -h | --help) usage "$0"; exit ;;
      --dir | --servers | --neo4j-version)
        (($# > 1)) || bad_usage "$1 needs a value"
        case $1 in
          --dir) DIR=$2 ;;
          --servers) IFS=, read -ra WANTED <<<"$2" ;;
          --neo4j-version) WANTED_LINE=$2 ;;
        esac
        shift
        ;;
      -*) bad_usage "unknown option $1" ;;
      *)
        if [[ -z $COMMAND ]]; then COMMAND=$1
        elif [[ -z $SERVER && $COMMAND =~ ^(kill|start)$ ]]; then SERVER=$1
        else bad_usage "unexpected argument $1"; fi
        ;;
    esac
    shift
  done
  [[ $COMMAND =~ ^(up|down|status|env|kill|start)$ ]] || bad_usage "${COMMAND:+unknown command $COMMAND; }say up, down, status, env, kill or start"
  [[ ! $COMMAND =~ ^(kill|start)$ || -n $SERVER ]] || bad_usage "$COMMAND needs a server"
  local name
  for name in "${WANTED[@]}" ${SERVER:+"$SERVER"}; do
    is_server "$name" || bad_usage "no server $name; there are ${ALL_SERVERS[*]}"
  done
  [[ -z $WANTED_LINE || -n ${NEO4J_VERSIONS[$WANTED_LINE]:-} ]] || bad_usage "--neo4j-version is one of ${!NEO4J_VERSIONS[*]}"
  [[ $DIR == /* ]] || DIR=$PWD/$DIR
}

# The stack's own facts: ports, passwords, which servers.
# shellcheck disable=SC2034  # lib/*.sh read them
load() {
  [[ -r $DIR/stack.conf ]] || die "no stack in $DIR; make one with: scripts/stack.sh up --dir $DIR"
  # shellcheck disable=SC1091
  source "$DIR/stack.conf"
  read -ra SERVERS <<<"$SERVERS"
  # The other eleven of the block are Milvus's own (lib/milvus.sh).
  NEO4J_PORT=$PORT_BASE MILVUS_PORT=$((PORT_BASE + 1)) MILVUS_METRICS_PORT=$((PORT_BASE + 2))
  POSTGRES_PORT=$((PORT_BASE + 3)) REDIS_PORT=$((PORT_BASE + 4))
}

random_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

make() {
  local base
  [[ -z $(ls -A -I neo4j.conf "$DIR") ]] || die "$DIR is neither empty nor a stack; give another --dir"
  chmod 711 "$DIR" # PostgreSQL may have to pass through as another user
  mkdir -p "$DIR/logs" "$DIR/run" "$CACHE/ports"
  (
    flock 8
    base=$(/usr/bin/python3 "$ROOT/scripts/lib/pick_ports.py" "$CACHE/ports" "$DIR")
    cat >"$DIR/stack.conf" <<CONF
PORT_BASE=$base
SERVERS='${WANTED[*]:-${ALL_SERVERS[*]}}'
NEO4J_LINE=${WANTED_LINE:-5.26}
NEO4J_PASSWORD=$(random_password)
MILVUS_PASSWORD=$(random_password)
POSTGRES_PASSWORD=$(random_password)
REDIS_PASSWORD=$(random_password)
CONF
  ) 8>"$CACHE/ports/.lock"
}

# bring_up SERVER: started if need be, ready, and said so. In a subshell of its own: it ends it when it fails.
bring_up() {
  local from=$EPOCHREALTIME deadline=$((SECONDS + READY_WITHIN)) version how=running
  server=$1 why="$1 could not be started"
  trap explain_failure EXIT
  if ! running_pid "$server" >/dev/null; then
    how=started
    "${server}_start"
  fi
  until listening && version=$("${server}_probe" 2>"$DIR/run/$server.probe") && [[ -n $version ]]; do
    why="$server ended while starting"
    running_pid "$server" >/dev/null
    why="$server was not ready in $READY_WITHIN s: $(head -c 300 "$DIR/run/$server.probe")"
    ((SECONDS < deadline))
    sleep 0.1
  done
  [[ $how == running ]] || how="ready in $(seconds_since "$from") s"
  printf '%-9s %-10s %-50s %s\n' "$server" "$version" "$("${server}_address")" "$how"
  why=''
}

# A look that costs nothing, before the probe, which starts an interpreter.
listening() {
  local port=${server^^}_PORT
  (: <>"/dev/tcp/127.0.0.1/${!port}") 2>"$DIR/run/$server.probe"
}

explain_failure() {
  [[ -n $why ]] || return 0
  [[ -r $DIR/logs/$server.log ]] || { warn "error: $why."; return; }
  warn "error: $why. The end of $DIR/logs/$server.log:"
  awk '/^--- started / { lines = 0 } { line[lines++] = substr($0, 1, 300) }
    END { for (i = lines > 25 ? lines - 25 : 0; i < lines; i++) print "  | " line[i] }' "$DIR/logs/$server.log" >&2
}

up() {
  local server jobs=() failed=0
  "$ROOT/scripts/setup.sh"
  [[ -e $DIR/stack.conf ]] || make
  load
  [[ -z $WANTED_LINE || $WANTED_LINE == "$NEO4J_LINE" ]] || die "the stack in $DIR has Neo4j $NEO4J_LINE; give another --dir for $WANTED_LINE"
  [[ $NEO4J_LINE == 5.26 ]] || ensure_neo4j "$NEO4J_LINE"
  if ((${#WANTED[@]})); then
    for server in "${WANTED[@]}"; do
      [[ " ${SERVERS[*]} " == *" $server "* ]] || SERVERS+=("$server")
    done
    sed -i "s/^SERVERS=.*/SERVERS='${SERVERS[*]}'/" "$DIR/stack.conf"
    SERVERS=("${WANTED[@]}")
  fi
  for server in "${SERVERS[@]}"; do
    mkdir -p "$DIR/$server"
    (bring_up "$server") &
    jobs+=($!)
  done
  for server in "${jobs[@]}"; do wait "$server" || failed=1; done
  return "$failed"
}

status() {
  local server pid all=0
  for server in "${SERVERS[@]}"; do
    if pid=$(running_pid "$server"); then
      printf '%-9s running  %-50s process %s\n' "$server" "$("${server}_address")" "$pid"
    else
      printf '%-9s down     %s\n' "$server" "$("${server}_address")"
      all=1
    fi
  done
  return "$all"
}

down() {
  local server
  for server in "${SERVERS[@]}"; do stop_server "$server" & done
  wait
}

# lock: one command at a time changes a stack. Not for kill, which must not wait for a server that comes up slowly.
lock() {
  exec 9<"$DIR"
  flock 9
}

umask 077 # passwords and data are nobody else's
parse "$@"
case $COMMAND in
  up) mkdir -p "$DIR"; lock; up ;;
  down) load; lock; down ;;
  status) load; status ;;
  env) load; for server in "${SERVERS[@]}"; do "${server}_env"; done ;;
  kill) load; kill_server "$SERVER" || die "$SERVER was not running" ;;
  start) load; lock; (bring_up "$SERVER") ;;
esac
