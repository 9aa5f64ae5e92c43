# shellcheck shell=bash
# Starting, recognising and ending a server of the stack in $DIR. A process is remembered by its id and its start
# time, so that a stranger who was given the same id later is never taken for it.

# start_time PID: in clock ticks since boot; fails for one that is gone or only waits to be reaped.
start_time() {
  local stat fields
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  read -ra fields <<<"${stat##*) }" # past the name, which may hold spaces
  [[ ${fields[0]} != Z ]] && printf '%s\n' "${fields[19]}"
}

# running_pid SERVER: its id, or failure.
running_pid() {
  local pid started
  { read -r pid started <"$DIR/run/$1.pid"; } 2>/dev/null || return
  [[ $(start_time "$pid") == "$started" ]] && printf '%s\n' "$pid"
}

# launch SERVER COMMAND...: in a session of its own, with nothing of our environment or open files.
launch() {
  local server=$1 log=$DIR/logs/$1.log pid
  shift
  printf -- '--- started %(%F %T)T\n' -1 >>"$log"
  (
    cd "$DIR/$server" || exit
    exec setsid env -i "PATH=$PATH" "HOME=$DIR/$server" LANG=C.UTF-8 "$@" </dev/null >>"$log" 2>&1 9>&-
  ) &
  pid=$!
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$DIR/run/$server.pid"
}

# descendants PID: PostgreSQL's processes leave the group, so the group alone is not enough.
descendants() {
  local children child
  children=$(cat "/proc/$1/task/"*/children 2>/dev/null) || true
  for child in $children; do
    printf '%s\n' "$child"
    descendants "$child"
  done
}

# wait_gone SECONDS PID...
wait_gone() {
  local deadline=$((SECONDS + $1)) pid
  shift
  for pid in "$@"; do
    while start_time "$pid" >/dev/null; do
      ((SECONDS < deadline)) || return
      sleep 0.02
    done
  done
}

# freeze PID: SIGSTOP; returns when it has stopped (or ended).
freeze() {
  local stat deadline=$((SECONDS + 10))
  kill -STOP "$1" 2>/dev/null || return 0
  while { read -r stat <"/proc/$1/stat"; } 2>/dev/null && [[ ! ${stat##*) } =~ ^[TZX] ]] && ((SECONDS < deadline)); do
    sleep 0.01
  done
}

# kill_server SERVER: SIGKILL to all of it at once; returns when it is gone.
kill_server() {
  local pid family
  pid=$(running_pid "$1") || return
  # A child made after the look at them would live on, and keep what it shares with the next server from it.
  freeze "$pid"
  mapfile -t family < <(descendants "$pid")
  kill -KILL "$pid" "${family[@]}" 2>/dev/null || true
  wait_gone 10 "$pid" "${family[@]}" || die "$1 (process $pid) does not end on SIGKILL"
}

# stop_server SERVER: politely, then by force.
stop_server() {
  local pid signal_var=$1_stop_signal seconds_var=$1_stop_seconds
  pid=$(running_pid "$1") || return 0
  kill -CONT "$pid" # one that a test has stopped can't obey
  kill "-${!signal_var}" "$pid"
  wait_gone "${!seconds_var:-20}" "$pid" || kill_server "$1"
}
