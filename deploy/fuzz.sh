#!/usr/bin/env bash
# Runs every fuzz target of the module, one after another, for the time given.
set -euo pipefail
time=${1:-10s}
targets=0
while read -r file; do
  package=./$(dirname "$file")
  for target in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //'); do
    echo "fuzz $package $target $time"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >/tmp/concord-fuzz.$$ 2>&1 || {
      cat /tmp/concord-fuzz.$$
      exit 1
    }
    targets=$((targets + 1))
  done
done < <(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz')
rm -f /tmp/concord-fuzz.$$
echo "$targets fuzz targets passed"
