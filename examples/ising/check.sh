#!/bin/sh
# check.sh DEJA SOURCES: runs this batch in a copy of the folder, compares its points with the exact solution, and expects
# the second run to be answered from the cache wholly, with the same bytes. Then the same points by calls of a function:
# the same lines (of one seed, to save time), and values that hold their numbers. SOURCES is where deja's own headers are.
set -eu
deja=$1
DEJA_CFLAGS="-I$2/runner/include -I$2/cache/value/include -I$2/cache/base/include"
export DEJA_CFLAGS
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
cp "$here"/*.c "$here"/*.h "$here"/*.yaml "$scratch/ising"

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

sed -i 's/range: \[1, 8\]/range: [3, 3]/' "$scratch/ising/call.yaml"
run called -f call.yaml --quiet
LC_ALL=C sort "$scratch/called.out" >"$scratch/lines"
awk '$3 == 3' "$scratch/points" | LC_ALL=C sort | diff - "$scratch/lines" || fault "the function gives other numbers than the command"
run again -f call.yaml --quiet
cmp "$scratch/called.out" "$scratch/again.out" || fault "the second run of calls prints other lines than the first"
run numbers -f call.yaml --json
expect numbers '"total":42' '"ran":0' '"hits":42'
grep -q '"function":"magnetisation"' "$scratch/numbers.out" || fault "events do not name the function"

# The value of one point holds the numbers of its line.
value=$("$deja" cache get --cache "$scratch/ising/.deja" "$(grep '"params":{"T":"2","seed":"3"}' "$scratch/numbers.out" |
    sed 's/.*"key":"\([0-9a-f]*\)".*/\1/')")
echo "$value" | sed 's/[{}"]//g; s/[a-z_]*://g' | tr , ' ' | {
    read -r m m_error e e_error
    LC_ALL=C printf '2\t64\t3\t%.6f\t%.6f\t%.6f\t%.6f\n' "$m" "$m_error" "$e" "$e_error"
} >"$scratch/line"
grep -q -x -F -f "$scratch/line" "$scratch/points" || fault "the value of a point is $value"
exit $((faults > 0))
