#!/bin/sh
# smoke.sh BUILD: tests/bench/run itself, with everything a thousand times smaller: every figure that it prints is a JSON line
# with the fields that README.md names. What the figures say is of no interest here.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
lines=$(mktemp "${TMPDIR:-/tmp}/bench-smoke.XXXXXX")
trap 'rm -f "$lines"' EXIT
jobs="makespan-real-2 makespan-2 eta-8 true-uncached true-stored true-map noop-10k noop-linear graph-linear exec-hit startup interrupt million-hits hash-again"
calls="map-f64 map-f64-pool submit-next latency latency-pool respawn async-waits async-waits-memory memo-hit memo-hit-map
    memo-miss-map memo-hit-array shared-array shared-array-memory array-result array-result-readable"
# shellcheck disable=SC2086 # names are words
"$here/run" --build "$build" --rounds 1 --scale 1000 $jobs $calls io cpu >"$lines"
for name in $jobs $calls io-process io-async cpu-thread cpu-inline; do
    grep -q "^{\"name\":\"$name\",\"value\":[^ ]*,\"unit\":[^ ]*,\"reference\":[^ ]*,\"ratio\":.*}$" "$lines" || {
        echo "no line of $name:"
        cat "$lines"
        exit 1
    }
done
