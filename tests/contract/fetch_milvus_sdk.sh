#!/bin/sh
# Prints the folder of the official Node SDK, whose definitions are what ours are compared with. Fetched once
# with npm and kept in the cache; no package is installed and no script of it is run.
set -eu
version=2.6.17
cache="${CROSSOVER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossover}/milvus-sdk-node-$version"
if [ ! -e "$cache/package/package.json" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent "@zilliz/milvus2-sdk-node@$version" >/dev/null && tar xzf ./*.tgz)
    mv "$work/package" "$cache/package" 2>/dev/null || [ -e "$cache/package/package.json" ]
fi
printf '%s\n' "$cache/package"
