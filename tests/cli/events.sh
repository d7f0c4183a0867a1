#!/bin/sh
# events.sh DEJA SOURCE: the events of runs of all kinds are as jobs/cli/events.schema.json says, and what it does not allow is
# found. Status 77: skipped.
set -eu
deja=$1 schema=$2/jobs/cli/events.schema.json check=$2/tests/cli/check_events.py
if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: no python3"
    [ "${CI-}" ] && exit 1
    exit 77
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/deja-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
cat >deja.yaml <<'END'
version: 1
jobs:
  plain: {matrix: {n: [1, "two\nlines"]}, run: "echo out ${{ n }}; echo err >&2"}
  bytes: {run: "printf '\\377\\000'"}
  long: {run: "seq 100000"}
  makes: {run: "echo x >${{ out }}", outputs: {out: made}}
  takes: {needs: makes, run: "cat made; rm -f in/*", inputs: ["in/"]}
  fails: {run: "exit 3"}
  dies: {run: "kill -9 $$"}
  skipped: {needs: fails, run: "true"}
  late: {run: "sleep 60", timeout: 10ms, allow-failure: true}
  again: {run: "exit 1", retries: 1}
  absent: {run: "true", inputs: [nothing]}
  never: {run: "true", cache: false}
END
mkdir in
echo 1 >in/1
LC_ALL=C
export LC_ALL
: >events
"$deja" run --json --dry-run >>events 2>/dev/null || true
"$deja" run --json >>events 2>/dev/null || true
"$deja" run --json >>events 2>/dev/null || true
"$deja" run --json --dry-run >>events 2>/dev/null || true
DEJA_MODE=off "$deja" run --json plain bytes >>events 2>/dev/null
"$deja" map --json echo ::: a b >>events 2>/dev/null
python3 "$check" "$schema" <events >found || {
    cat found
    exit 1
}
expected="failed finished hit note retrying skipped started summary would-hit would-run"
[ "$(tail -n 1 found)" = "$expected" ] || {
    echo "not all kinds of events were seen: $(tail -n 1 found)"
    exit 1
}
while read -r line; do
    if echo "$line" | python3 "$check" "$schema" >/dev/null 2>&1; then
        echo "was accepted: $line"
        exit 1
    fi
done <<'END'
{"event":"unknown"}
{"event":"note"}
{"event":"note","text":"x","more":1}
{"event":"started","job":"a"}
{"event":"started","job":"a","params":{"n":1}}
{"event":"hit","job":"a","params":{},"key":"short","status":0,"wall_s":0,"cpu_s":0,"peak_rss_bytes":0}
{"event":"failed","job":"a","params":{},"status":"3","wall_s":0,"cpu_s":0,"peak_rss_bytes":0}
{"event":"failed","job":"a","params":{},"status":3,"wall_s":0,"cpu_s":0,"peak_rss_bytes":0,"stdout":"","stdout_base64":""}
{"event":"summary","total":-1,"done":0,"hits":0,"ran":0,"failed":0,"skipped":0,"not_kept":0,"wall_s":0,"saved_s":0,"exit_status":0}
END
