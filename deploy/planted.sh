#!/usr/bin/env bash
# Plants each bug of internal/planted by its build tag and expects the named test to fail: a checker that cannot fail
# proves nothing.
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
  [skipmark]="./persistence/pebblestore TestDamageIsNeverSilent"
)
failed=0
for bug in "$@"; do
  read -r package name <<<"${test[$bug]}"
  if CONCORD_LINEARIZABLE_ROUNDS=1 CONCORD_KILL_CYCLES=6 go test -count=1 -timeout 5m -tags "planted_$bug" "$package" -run "$name" >/tmp/concord-planted.$$ 2>&1; then
    echo "NOT CAUGHT: $bug by $package $name"
    grep 'no tests to run' /tmp/concord-planted.$$ || true
    failed=1
  elif grep -q 'build failed\|no test files\|no tests to run' /tmp/concord-planted.$$; then
    cat /tmp/concord-planted.$$
    echo "NOT RUN: $bug by $package $name"
    failed=1
  else
    echo "caught: $bug by $package $name: $(grep -m1 -E '^\s+[a-z_]+_test\.go' /tmp/concord-planted.$$ | cut -c1-160)"
  fi
done
rm -f /tmp/concord-planted.$$
exit $failed
