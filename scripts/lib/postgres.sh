# shellcheck shell=bash disable=SC2034
# PostgreSQL 15. It refuses to run as root; there it runs as the user `postgres` that the package made.

postgres_stop_signal=INT # "fast": ends the sessions, leaves nothing to recover
postgres_bin=/usr/lib/postgresql/15/bin
postgres_address() { echo "postgresql://crossover@127.0.0.1:$POSTGRES_PORT/agentdb"; }

# Prints the words to put before a command that PostgreSQL is to run.
postgres_as() {
  ((EUID == 0)) || return 0
  local words=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  # The stack may lie below a folder that is closed to others, such as /root.
  "${words[@]}" test -x "$DIR/postgres" || words+=(--inh-caps=+dac_override --ambient-caps=+dac_override)
  printf '%s\n' "${words[@]}"
}

postgres_start() {
  local home=$DIR/postgres as
  mkdir -p "$home"
  ((EUID != 0)) || chown postgres:postgres "$home"
  mapfile -t as < <(postgres_as)
  if [[ ! -e $home/data/PG_VERSION ]]; then
    install -m 600 ${as:+-o postgres} /dev/null "$home/password"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$home/password"
    (
      cd "$home" || exit
      "${as[@]}" "$postgres_bin/initdb" -D "$home/data" -U crossover --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 \
        --pwfile="$home/password" >>"$DIR/logs/postgres.log" 2>&1
    )
    rm "$home/password"
  fi
  # Killed, and not yet reaped by a lazy init, the old process still counts as alive for PostgreSQL.
  local old
  if { read -r old <"$home/data/postmaster.pid"; } 2>/dev/null && ! start_time "$old" >/dev/null; then
    rm "$home/data/postmaster.pid"
  fi
  launch postgres "${as[@]}" "$postgres_bin/postgres" -D "$home/data" -c "port=$POSTGRES_PORT" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories=
}

postgres_probe() {
  local query=(env -i "PATH=$PATH" "PGPASSWORD=$POSTGRES_PASSWORD" PGCONNECT_TIMEOUT=5
    psql -X -q -At -h 127.0.0.1 -p "$POSTGRES_PORT" -U crossover -d postgres -c)
  [[ $("${query[@]}" "SELECT 1 FROM pg_database WHERE datname = 'agentdb'") ]] || "${query[@]}" 'CREATE DATABASE agentdb'
  "${query[@]}" "SELECT split_part(current_setting('server_version'), ' ', 1)"
}

postgres_env() { echo "export DATABASE_URL=postgresql://crossover:$POSTGRES_PASSWORD@127.0.0.1:$POSTGRES_PORT/agentdb"; }
