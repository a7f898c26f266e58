#!/usr/bin/env bash
# Runs every fuzz target of the module for the time given, two at a time with one worker each.
set -euo pipefail
export time=${1:-10s}

one() {
  local package=$1 target=$2 log
  log=$(mktemp)
  if go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -parallel 1 >"$log" 2>&1; then
    echo "fuzz $package $target $time: passed"
  # The runner of Go itself may end with this when the time is up; without a failing input it says nothing about us.
  elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
    echo "fuzz $package $target $time: passed (ended by the runner's own deadline, no failing input)"
  else
    cat "$log"
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
export -f one

git ls-files '*_test.go' | xargs grep -lE '^func Fuzz' | while read -r file; do
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed "s|^func |./$(dirname "$file") |"
done | xargs -P 2 -n 2 bash -c 'one "$@"' one
