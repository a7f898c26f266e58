#!/usr/bin/env bash
# Plants each bug of internal/planted, by the variable that names it, and expects the named test to fail: a checker that
# cannot fail proves nothing.
set -euo pipefail
declare -A test=(
  [skipsync]="./persistence/pebblestore TestCrash"
  [answerearly]="./internal/faults TestKill"
  [forgetdedup]="./internal/faults TestKill"
  [dropoutbox]="./internal/faults TestKill"
  [staleread]="./internal/faults TestLinearizable"
  [breakchain]="./internal/faults TestKill"
  [skipfence]="./internal/faults TestLocksAreLinearizable"
  [skipqueue]="./internal/faults TestScenarios"
  [keepexpired]="./internal/faults TestScenarios/http/7-defects"
  [losepark]="./internal/faults TestKillInEveryState"
  [mergeblind]="./internal/faults TestPolicies"
  [dropconflict]="./internal/faults TestPolicies"
  [skipsecond]="./internal/faults TestPolicies"
  [stalescript]="./transport/operations TestScriptOfAnotherVersion"
  [skiplink]="./internal/faults TestSecondURLSupersedes"
  [dropcorrection]="./internal/faults TestCorrections"
  [halfjob]="./internal/faults TestLinksSurviveKills"
  [droplinks]="./internal/faults TestLinksSurviveKills"
  [applytwice]="./transport/operations TestApplyOnce"
  [overtake]="./internal/faults TestBulkOrder"
  [lostitem]="./internal/faults TestBulkOrder"
  [stickycancel]="./actors/jobs TestATaskIsCancelledAtTheBorderOfAnItem"
  [staleindex]="./internal/faults TestBulkQueries"
  [skipmark]="./persistence/pebblestore TestDamageIsNeverSilent"
)
one() {
  local bug=$1 package=$2 name=$3 log status=1
  log=$(mktemp)
  if CONCORD_LINEARIZABLE_ROUNDS=1 CONCORD_KILL_CYCLES=6 CONCORD_PLANTED=$bug go test -count=1 -timeout 5m -tags planted "$package" -run "$name" >"$log" 2>&1; then
    echo "NOT CAUGHT: $bug by $package $name"
    grep 'no tests to run' "$log" || true
  elif grep -q 'build failed\|no test files\|no tests to run' "$log"; then
    cat "$log"
    echo "NOT RUN: $bug by $package $name"
  else
    echo "caught: $bug by $package $name: $(grep -m1 -E '^\s+[a-z_]+_test\.go' "$log" | cut -c1-160)"
    status=0
  fi
  rm -f "$log"
  return $status
}
export -f one

# Two at a time: they mostly wait.
for bug in "$@"; do
  echo "$bug ${test[$bug]}"
done | xargs -r -P 2 -L 1 bash -c 'one "$@"' one
