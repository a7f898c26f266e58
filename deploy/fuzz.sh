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
      # The runner of Go itself may end with this when the time is up; without a failing input it says nothing about us.
      if grep -q 'context deadline exceeded' /tmp/concord-fuzz.$$ && ! grep -q 'Failing input' /tmp/concord-fuzz.$$; then
        echo "  (ended by the runner's own deadline, no failing input)"
      else
        cat /tmp/concord-fuzz.$$
        exit 1
      fi
    }
    targets=$((targets + 1))
  done
done < <(git ls-files '*_test.go' | xargs grep -lE '^func Fuzz')
rm -f /tmp/concord-fuzz.$$
echo "$targets fuzz targets passed"
