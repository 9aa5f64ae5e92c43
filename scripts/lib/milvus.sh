# shellcheck shell=bash disable=SC2034
# Milvus standalone with its embedded etcd. Its settings are given in the environment, by their names in milvus.yaml.

milvus_stop_signal=TERM
# What it has acknowledged is in its log by then; 2.3 tends to wait for parts of itself that have already ended.
milvus_stop_seconds=6
milvus_address() { echo "http://127.0.0.1:$MILVUS_PORT"; }

milvus_start() {
  local home=$DIR/milvus etcd=http://127.0.0.1:$((PORT_BASE + 5)) etcd_peer=http://127.0.0.1:$((PORT_BASE + 6)) role port
  mkdir -p "$home"
  cat >"$home/etcd.yaml" <<YAML
name: default
data-dir: $home/etcd
listen-client-urls: $etcd
advertise-client-urls: $etcd
listen-peer-urls: $etcd_peer
initial-advertise-peer-urls: $etcd_peer
initial-cluster: default=$etcd_peer
YAML
  local settings=(
    etcd.use.embed=true "etcd.endpoints=${etcd#http://}" "etcd.config.path=$home/etcd.yaml" "etcd.data.dir=$home/etcd"
    "localStorage.path=$home/data" "rocksmq.path=$home/rocksmq"
    "proxy.port=$MILVUS_PORT" "proxy.internalPort=$((PORT_BASE + 7))"
    common.security.authorizationEnabled=true log.level=warn
  )
  port=$((PORT_BASE + 8))
  for role in rootCoord queryCoord queryNode indexNode dataCoord dataNode; do
    settings+=("$role.port=$port")
    ((port += 1))
  done
  for role in rootCoord queryCoord queryNode indexNode dataCoord dataNode proxy; do
    settings+=("$role.ip=127.0.0.1") # what it tells its other parts
  done
  # It insists on a standalone-ALIAS.pid in /run/milvus or, where it may not write there, in /tmp/milvus; and on a
  # server_id_PID in the latter, which the first one would make for its user alone.
  [[ -d /tmp/milvus ]] || mkdir -m 1777 /tmp/milvus
  if ! mkdir -p /run/milvus 2>/dev/null || [[ ! -w /run/milvus ]]; then
    [[ -w /tmp/milvus ]] || die "Milvus needs to write to /tmp/milvus, which belongs to $(stat -c %U /tmp/milvus); ask for it to be removed"
  fi
  launch milvus "${settings[@]}" DEPLOY_MODE=STANDALONE "METRICS_PORT=$MILVUS_METRICS_PORT" \
    "MILVUSCONF=$MILVUS_HOME/configs" "LD_LIBRARY_PATH=$MILVUS_HOME/bin" \
    "$LOOPBACK_HOME/loopback_only" "$MILVUS_HOME/bin/milvus" run standalone -alias="crossover-$PORT_BASE"
}

milvus_probe() { "$VENV/bin/python" "$ROOT/scripts/lib/probe.py" milvus "$(milvus_address)" "$MILVUS_PASSWORD"; }

milvus_env() {
  cat <<ENV
export MILVUS_URI=$(milvus_address)
export MILVUS_TOKEN=root:$MILVUS_PASSWORD
export MILVUS_DATABASE=default
export MILVUS_METRICS_URI=http://127.0.0.1:$MILVUS_METRICS_PORT
ENV
}
