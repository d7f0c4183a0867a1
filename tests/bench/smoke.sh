#!/bin/sh
# smoke.sh BUILD: tests/bench/run itself, with everything a thousand times smaller: every figure that it prints is a JSON line
# with the fields that README.md names. What the figures say is of no interest here.
set -eu
build=$1
here=$(cd "$(dirname "$0")" && pwd)
lines=$(mktemp "${TMPDIR:-/tmp}/bench-smoke.XXXXXX")
trap 'rm -f "$lines"' EXIT
"$here/run" --build "$build" --rounds 1 --scale 1000 true-uncached true-stored noop-10k noop-linear exec-hit startup \
    million-hits hash-again >"$lines"
for name in true-uncached true-stored noop-10k noop-linear exec-hit startup million-hits hash-again; do
    grep -q "^{\"name\":\"$name\",\"value\":[^ ]*,\"unit\":[^ ]*,\"reference\":[^ ]*,\"ratio\":.*}$" "$lines" || {
        echo "no line of $name:"
        cat "$lines"
        exit 1
    }
done
