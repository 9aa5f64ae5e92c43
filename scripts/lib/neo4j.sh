# shellcheck shell=bash disable=SC2034
# Neo4j Community. Bolt only, plain and TLS on one port (a self-signed certificate; bolt+ssc:// accepts it).

neo4j_stop_signal=TERM
neo4j_address() { echo "bolt://127.0.0.1:$NEO4J_PORT"; }

neo4j_start() {
  local home=$DIR/neo4j
  mkdir -p "$home/conf" "$home/tmp" "$home/certificates/bolt" "$home/data/dbms"
  if [[ ! -e $home/certificates/bolt/public.crt ]]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$home/certificates/bolt/private.key" \
      -out "$home/certificates/bolt/public.crt" 2>/dev/null
  fi
  # What `neo4j-admin dbms set-initial-password` would leave; read only when the system database is first made.
  [[ -e $home/data/databases ]] || "$VENV/bin/python" - "$NEO4J_PASSWORD" >"$home/data/dbms/auth.ini" <<'PY'
import hashlib, os, sys
salt = os.urandom(32)
digest = hashlib.sha256(salt + sys.argv[1].encode()).digest()
for _ in range(1023):
    digest = hashlib.sha256(digest).digest()
print(f"neo4j:SHA-256,{digest.hex()},{salt.hex()},1024:")
PY
  cat >"$home/conf/neo4j.conf" <<CONF
server.bolt.listen_address=127.0.0.1:$NEO4J_PORT
server.bolt.advertised_address=127.0.0.1:$NEO4J_PORT
server.bolt.tls_level=OPTIONAL
dbms.ssl.policy.bolt.enabled=true
dbms.ssl.policy.bolt.client_auth=NONE
server.http.enabled=false
server.https.enabled=false
server.memory.pagecache.size=1g
# A local stack keeps no history, and need not reserve 256 MB per database for it.
db.tx_log.preallocate=false
db.tx_log.rotation.size=64M
db.tx_log.rotation.retention_policy=256M size
CONF
  neo4j_reports_nothing "$NEO4J_LINE" >>"$home/conf/neo4j.conf"
  [[ ! -e $DIR/neo4j.conf ]] || cat "$DIR/neo4j.conf" >>"$home/conf/neo4j.conf"
  neo4j_command "$NEO4J_LINE" "$home"
  launch neo4j "${NEO4J_COMMAND[0]}" "-XX:SharedArchiveFile=$CACHE/$NEO4J_CLASSES/classes.jsa" "${NEO4J_COMMAND[@]:1}"
}

neo4j_probe() { "$VENV/bin/python" "$ROOT/scripts/lib/probe.py" neo4j "$(neo4j_address)" "$NEO4J_PASSWORD"; }

neo4j_env() {
  cat <<ENV
export NEO4J_URI=$(neo4j_address)
export NEO4J_USER=neo4j
export NEO4J_PASSWORD=$NEO4J_PASSWORD
export NEO4J_DATABASE=neo4j
ENV
}
