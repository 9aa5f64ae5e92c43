#!/usr/bin/env bash
# setup.sh [--tests]: install what is missing to build Crossover and to run its servers here.
#
# Debian packages by apt (as root, or with sudo; otherwise it says what to install), Neo4j by Maven, Milvus and the
# Python clients from PyPI. Every version is pinned (scripts/lib/pins.sh, scripts/requirements.txt). Downloads go to
# $CROSSOVER_CACHE, by default ~/.cache/crossover, and are shared by all clones. Run again, it does nothing, quickly.
#
#   --tests   also what only the tests use: spin, clang, Neo4j 2025 with a Java 21, Milvus's official protos
#   --help    this text
set -euo pipefail
# shellcheck source=scripts/lib/all.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib/all.sh"

tests=no
while (($#)); do
  case $1 in
    --tests) tests=yes ;;
    -h | --help) usage "$0"; exit ;;
    *) warn "setup.sh: unknown argument $1 (see --help)"; exit 2 ;;
  esac
  shift
done

packages=("${DEBIAN_PACKAGES[@]}")
[[ $tests == yes ]] && packages+=("${DEBIAN_TEST_PACKAGES[@]}")
ensure_packages "${packages[@]}"
ensure_python
ensure_milvus
ensure_neo4j 5.26
ensure_loopback_only
if [[ $tests == yes ]]; then
  ensure_neo4j 2025
  ensure_milvus_sdk_node
fi
