# shellcheck shell=bash disable=SC2034
# Redis 7, appending every write to a file before it is acknowledged.

redis_stop_signal=TERM
redis_address() { echo "redis://127.0.0.1:$REDIS_PORT/0"; }

redis_start() {
  local home=$DIR/redis
  mkdir -p "$home"
  cat >"$home/redis.conf" <<CONF
bind 127.0.0.1
port $REDIS_PORT
requirepass $REDIS_PASSWORD
dir "$home"
appendonly yes
appendfsync always
CONF
  launch redis redis-server "$home/redis.conf"
}

redis_probe() {
  local info
  info=$(REDISCLI_AUTH=$REDIS_PASSWORD redis-cli -h 127.0.0.1 -p "$REDIS_PORT" INFO 2>&1)
  [[ $info == *$'\n'loading:0* ]] || { echo "$info" | head -1 >&2; return 1; }
  sed -n 's/^redis_version:\([^\r]*\).*/\1/p' <<<"$info"
}

redis_env() { echo "export REDIS_URL=redis://:$REDIS_PASSWORD@127.0.0.1:$REDIS_PORT/0"; }
