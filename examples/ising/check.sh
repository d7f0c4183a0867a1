#!/bin/sh
# check.sh DEJA: runs this batch in a copy of the folder, compares its points with the exact solution, and expects the
# second run to be answered from the cache wholly, with the same bytes.
set -eu
deja=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ising.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_CACHE DEJA_MODE DEJA_VERIFY
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# run NAME [ARGUMENTS]: standard output and error in $scratch/NAME.out and $scratch/NAME.err.
run() {
    name=$1
    shift
    "$deja" run -C "$scratch/ising" "$@" >"$scratch/$name.out" 2>"$scratch/$name.err" && return 0
    fault "the $name run failed:"
    cat "$scratch/$name.err"
    exit 1
}

# expect NAME NUMBERS...: the summary of a run with --json says all of them.
expect() {
    name=$1
    shift
    for number; do
        grep '"event":"summary"' "$scratch/$name.out" | grep -q "${number}[,}]" ||
            fault "the $name run does not say $number: $(grep '"event":"summary"' "$scratch/$name.out")"
    done
}

mkdir "$scratch/ising"
cp "$here/ising.c" "$here/curve.c" "$here/deja.yaml" "$scratch/ising"

run first --json
expect first '"total":331' '"ran":331' '"hits":0' '"failed":0'
cat "$scratch"/ising/out/points/*.tsv >"$scratch/points"
awk -f "$here/onsager.awk" "$scratch/points" || fault "the points differ from the exact solution"
grep -q '</svg>' "$scratch/ising/out/curve.svg" || fault "curve.svg is no whole picture"

mv "$scratch/ising/out" "$scratch/before"
run second --json
expect second '"total":331' '"ran":0' '"hits":331' '"failed":0'
diff -r "$scratch/before" "$scratch/ising/out" || fault "the second run left other files than the first"

# A comment more gives the same program: only the compiler runs, and its equal result lets the points stand.
echo '/* a comment */' >>"$scratch/ising/ising.c"
run third --json
expect third '"ran":1' '"hits":330'
diff -r "$scratch/before" "$scratch/ising/out" || fault "the third run left other files than the first"
exit $((faults > 0))
