#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, two at a time with one worker each. The binary of a package is built
# once for all its targets, while those of others run.
set -euo pipefail
export time=${1:-10s}
binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
corpora=$(go env GOCACHE)/fuzz
module=$(go list -m)
export binaries corpora module

# What the runs before have found interesting stays where `go test -fuzz` would keep it.
one() {
  local package=$1 target=$2 binary=$binaries/${1//\//_}.test log=$binaries/${1//\//_}.$2.log
  if (cd "$package" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$time" -test.parallel 1 \
    -test.fuzzcachedir "$corpora/$module/$package") >"$log" 2>&1; then
    echo "fuzz $package $target $time: passed, $(grep -oE 'execs: [0-9]+' "$log" | tail -1)"
  # The runner of Go itself may end with this when the time is up; without a failing input it says nothing about us.
  elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
    echo "fuzz $package $target $time: passed (ended by the runner's own deadline, no failing input)"
  else
    cat "$log"
    return 1
  fi
}
export -f one

targets() {
  git ls-files '*_test.go' | xargs grep -lE '^func Fuzz' | while read -r file; do
    grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed "s|^func |$(dirname "$file") |"
  done | sort
}

built=''
targets | while read -r package target; do
  if [ "$package" != "$built" ]; then
    go test -c -vet=off -fuzz=Fuzz -o "$binaries/${package//\//_}.test" "./$package" >&2
    built=$package
  fi
  echo "$package $target"
done | xargs -P 2 -n 2 bash -c 'one "$@"' one
