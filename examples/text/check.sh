#!/bin/sh
# check.sh DEJA: runs this batch in a copy of the folder, over texts with names of all kinds: with one slot and with eight, cold and
# warm, interrupted and taken up again, always the same bytes; and the words are those that a single pipe counts.
set -eu
deja=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/text.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_CACHE DEJA_MODE DEJA_VERIFY
HOME=$scratch/home
export HOME
mkdir "$HOME" "$scratch/texts"
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

copy() { # copy NAME: the example as a folder of its own
    mkdir "$scratch/$1"
    cp "$here/deja.yaml" "$scratch/$1"
    cd "$scratch/$1"
}

run() {
    "$deja" run --set library=../texts "$@"
}

sums() {
    (find out -type f -exec cksum {} + && cksum table.txt) | sort
}

cp "$here/deja.yaml" "$scratch/texts/plain.md"
seq 1 400 | sed "s/\$/ the quick brown fox jumps over the lazy dog's back/" >"$scratch/texts/with blanks.md"
printf 'caf\351 au lait\r\nno newline at the end\r\nand a third' >"$scratch/texts/it's \$HOME;ls.md"
LC_ALL=C awk 1 "$scratch"/texts/*.md | LC_ALL=C tr -d '\r' | LC_ALL=C tr -cs '[:alpha:]' '\n' |
    LC_ALL=C tr '[:upper:]' '[:lower:]' | LC_ALL=C sort | LC_ALL=C uniq -c | LC_ALL=C sort -k1,1nr -k2 | awk '$2 {print $1, $2}' |
    head -n 10 >"$scratch/expected"

copy one
run -j1 >"$scratch/out" 2>"$scratch/err" || fault "the first run failed: $(cat "$scratch/err")"
cmp -s table.txt "$scratch/expected" || fault "other words than a single pipe counts: $(diff table.txt "$scratch/expected")"
cmp -s "$scratch/out" table.txt || fault "what is shown is not the table"
sums >"$scratch/cold"
run -j8 >"$scratch/out" 2>"$scratch/err"
grep -q ' 17 hits, 0 ran' "$scratch/err" || fault "the second run is not answered: $(cat "$scratch/err")"
rm -rf out table.txt
run >"$scratch/again" 2>/dev/null
cmp -s "$scratch/out" "$scratch/again" || fault "with outputs removed other output"
sums >"$scratch/warm"
cmp -s "$scratch/cold" "$scratch/warm" || fault "warm other bytes than cold"

copy eight
run -j8 >"$scratch/out8" 2>/dev/null
sums >"$scratch/sums8"
cmp -s "$scratch/cold" "$scratch/sums8" || fault "with eight slots other bytes than with one"
cmp -s "$scratch/out" "$scratch/out8" || fault "with eight slots other output than with one"

copy interrupted
for jobs in 3 7 12; do # stopped after so many; what is finished stays
    run -j1 --json 2>/dev/null | sed -n "/\"event\":\"finished\"/p" | head -n "$jobs" >/dev/null || true
done
run -j2 >"$scratch/out3" 2>/dev/null || fault "the run after interruptions failed"
sums >"$scratch/sums3"
cmp -s "$scratch/cold" "$scratch/sums3" || fault "interrupted and taken up again other bytes"
cmp -s "$scratch/out" "$scratch/out3" || fault "interrupted and taken up again other output"
[ $faults = 0 ]
