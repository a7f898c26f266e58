#!/usr/bin/env bash
# The main job, from nothing: a running service, a sample catalogue in it, four programs that change one collection at the
# same time, its history and a comparison. The service is left running. DEMO_DIR, DEMO_NATS and
# DEMO_HTTP say where.
set -euo pipefail
bin=$(readlink -f "${1:-bin/concord}")
dir=${DEMO_DIR:-.demo}
mkdir -p "$dir"
cd "$dir"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

if [ -f pid ] && kill -0 "$(cat pid)" 2>/dev/null; then
  say "The service of the last time is still running (pid $(cat pid))."
else
  say "1. Start the service"
  rm -f ready.json
  nohup "$bin" serve --data data --nats "${DEMO_NATS:-127.0.0.1:4222}" --http "${DEMO_HTTP:-127.0.0.1:8080}" \
    --ready-file ready.json >serve.log 2>&1 </dev/null &
  echo $! >pid
  for _ in $(seq 100); do
    [ -f ready.json ] && break
    kill -0 "$(cat pid)" 2>/dev/null || { cat serve.log; exit 1; }
    sleep 0.1
  done
fi
address() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/" ready.json; }
CONCORD_SERVER=$(address nats)
export CONCORD_SERVER
echo "NATS $CONCORD_SERVER, HTTP $(address http), data in $PWD/data"

say "2. Import a sample catalogue of 2,000 records, 50 to a collection"
"$bin" sample bibs --count 2000 | "$bin" import - --into catalogue

say "3. Four programs change the same collection at the same time, 10 documents each"
for who in ann bob carol dan; do
  for n in $(seq 10); do
    echo "{\"note\": \"number $n of $who\"}" |
      "$bin" --principal "$who" put catalogue-000001 --document "note-$who-$n=-" --reason "a note of $who" >>"updates-$who.log"
  done &
done
wait $(jobs -p | grep -v "^$(cat pid)\$")
echo "done: 40 updates, none lost"

say "4. Its history"
"$bin" history catalogue-000001 --limit 8

say "5. What the last five updates changed"
newest=$("$bin" get catalogue-000001 --documents none -o json | sed -E 's/.*"version": ?([0-9]+).*/\1/' | grep -m1 -E '^[0-9]+$')
"$bin" diff catalogue-000001 $((newest - 5)) "$newest"

say "The service goes on running. Try:"
cat <<TRY
  export CONCORD_SERVER=$CONCORD_SERVER
  bin/concord get catalogue-000001 --document note-ann-1
  bin/concord blame catalogue-000001
  bin/concord revert catalogue-000001 1
  bin/concord watch catalogue-000001        # Ctrl-C ends it
  curl $(address http)/openapi.json
Stop it with: kill $(cat "pid")
TRY
