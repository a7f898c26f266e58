#!/usr/bin/env bash
# Plants each bug of internal/planted, by the variable that names it, and expects the named test to fail: a checker that
# cannot fail proves nothing.
set -euo pipefail
declare -A test=(
  [skipsync]="./persistence/pebblestore TestCrashAtEveryFileOperation"
  [answerearly]="./internal/faults TestKill"
  [forgetdedup]="./internal/faults TestKill"
  [dropoutbox]="./internal/faults TestKill"
  [staleread]="./internal/faults TestLinearizable"
  [breakchain]="./internal/faults TestKill"
  [skipfence]="./internal/faults TestLocksAreLinearizable"
  [skipqueue]="./internal/faults TestScenarios"
  [keepexpired]="./internal/faults TestScenarios/http/7-defects.txt"
  [losepark]="./internal/faults TestKillInEveryState"
  [mergeblind]="./internal/faults TestPolicies"
  [dropconflict]="./internal/faults TestPolicies"
  [skipsecond]="./internal/faults TestPolicies"
  [stalescript]="./transport/operations TestScriptOfAnotherVersion"
  [skiplink]="./internal/faults TestSecondURLSupersedes"
  [dropcorrection]="./actors/jobs TestAWriteThatRacedWithAChangeIsRightInTheEnd"
  [halfjob]="./internal/faults TestLinksSurviveKills"
  [droplinks]="./internal/faults TestLinksSurviveKills"
  [applytwice]="./transport/operations TestApplyOnce"
  [overtake]="./internal/faults TestBulkOrder"
  [lostitem]="./internal/faults TestBulkOrder"
  [stickycancel]="./actors/jobs TestATaskIsCancelledAtTheBorderOfAnItem"
  [staleindex]="./internal/faults TestBulkQueries"
  [ignoreforeign]="./transport/operations TestTwoPeople"
  [lostundo]="./transport/operations TestBackToTheStart"
  [wrongmark]="./transport/operations TestBackToTheStepBefore"
  [unpinned]="./internal/node TestSessionsHoldWhatTheyReplace"
  [othersession]="./internal/faults TestEditSolutions"
  [skipmark]="./persistence/pebblestore TestDamageIsNeverSilent"
)
# A checker of what happens to a real process is allowed luck: the moments of kills and the histories of clients are never twice
# the same, and the bug may have had no occasion. It is given so many runs; the other tests are sure, and have one.
triesOfProcesses=3

binaries=$(mktemp -d)
trap 'rm -rf "$binaries"' EXIT
export binaries triesOfProcesses
printf '%s\n' "${test[@]}" | cut -d ' ' -f 1 | sort -u | xargs go test -c -vet=off -tags planted -o "$binaries/"

one() {
  local bug=$1 package=$2 name=$3 log tries=1 try
  log=$binaries/$bug.log
  [ "$package" != ./internal/faults ] || tries=$triesOfProcesses
  for try in $(seq "$tries"); do
    if (cd "$package" && CONCORD_LINEARIZABLE_ROUNDS=1 CONCORD_KILL_CYCLES=6 CONCORD_PLANTED=$bug \
      "$binaries/${package##*/}.test" -test.failfast -test.timeout 5m -test.run "^$name\$") >"$log" 2>&1; then
      if grep 'no tests to run' "$log"; then
        echo "NOT RUN: $bug by $package $name"
        return 1
      fi
    elif grep -q -e '^--- FAIL' "$log"; then
      echo "caught: $bug by $package $name (run $try): $(grep -m1 -E '^\s+[a-z_]+_test\.go' "$log" | cut -c1-160)"
      return 0
    else # it came to no verdict
      tail -n 40 "$log"
    fi
  done
  echo "NOT CAUGHT: $bug by $package $name, in $tries runs"
  return 1
}
export -f one

# Two at a time: they mostly wait.
for bug in "$@"; do
  echo "$bug ${test[$bug]}"
done | xargs -r -P 2 -L 1 bash -c 'one "$@"' one
