#!/usr/bin/env bash
# Writes one violation of each import rule into a copy of the tree and expects the linter to name the rule.
set -euo pipefail
lint=$1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files | tar -cf - -T - | tar -xf - -C "$copy"
plant() { # folder, import, rule
  local package
  package=$(awk '/^package /{print $2; exit}' "$copy/$1"/*.go)
  printf '// Package %s has a planted violation.\npackage %s\n\nimport _ "%s"\n' "$package" "$package" "$2" >"$copy/$1/planted_violation.go"
  wanted+=("$1 $3")
}
wanted=()
plant transport/operations github.com/cockroachdb/pebble/v2 pebble-has-one-door
plant actors/entity github.com/asynkron/protoactor-go/actor protoactor-has-one-door
plant persistence github.com/nats-io/nats.go nats-has-its-doors
plant transport github.com/prometheus/client_golang/prometheus prometheus-has-one-door
plant transport/client concord/transport/operations client-is-light
plant transport/api concord/actors/host client-is-light
plant transport/folio concord/transport/operations aliases-ask-operations
plant transport/cmr concord/persistence/pebblestore aliases-ask-operations
plant actors/collection github.com/santhosh-tekuri/jsonschema/v6 jsonschema-has-one-door
plant actors/script modernc.org/quickjs quickjs-has-one-door
plant actors/host concord/actors/script/quickjs scripts-run-behind-their-contract
plant actors/rules os kinds-are-pure
plant actors/merge context kinds-are-pure
plant actors/schema io kinds-are-pure
plant actors/lock concord/internal/telemetry kinds-are-pure
plant actors/provider concord/actors/upload kinds-do-not-import-each-other-provider
plant actors/upload concord/actors/collection kinds-do-not-import-each-other-upload
plant actors/collectiontype concord/actors/provider kinds-do-not-import-each-other-collectiontype
plant actors/bulk concord/actors/collection kinds-do-not-import-each-other-bulk
plant actors/undo context kinds-are-pure
plant actors/editsession concord/actors/bulk kinds-do-not-import-each-other-editsession
plant actors/source concord/actors/provider kinds-do-not-import-each-other-source
plant actors/authority concord/actors/source kinds-do-not-import-each-other-authority
out=$(cd "$copy" && "$lint" run --enable-only depguard --max-same-issues 0 --max-issues-per-linter 0 2>&1 || true)
failed=0
for w in "${wanted[@]}"; do
  read -r folder rule <<<"$w"
  if grep -q "^$folder/planted_violation.go.*'$rule'" <<<"$out"; then
    echo "caught: $rule in $folder"
  else
    echo "NOT CAUGHT: $rule in $folder"
    failed=1
  fi
done
[ $failed = 0 ] || echo "$out"
exit $failed
