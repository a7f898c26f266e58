#!/usr/bin/env bash
# Installs the contenders that Debian has, and runs the suite of docs/BENCHMARKS.md.
set -euo pipefail
bin=${1:-bin/concord}
"$(dirname "$0")/bench-deps.sh"
"$bin" bench all --against echo,pebble,fsync,postgres,etcd,redis,natskv
"$bin" bench merge
"$bin" bench links --authorities 1000000 --named 100000 --links 10000,100000,1000000
"$bin" bench growth
"$bin" bench memory
"$bin" bench activation
"$bin" bench start
