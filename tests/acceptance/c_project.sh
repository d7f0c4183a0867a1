#!/bin/sh
# c_project.sh DEJA: builds a C project by way of a batch, in all the states in which a build finds one.
set -eu
deja=$1
command -v cc >/dev/null 2>&1 || exit 77
scratch=$(mktemp -d "${TMPDIR:-/tmp}/c_project.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_CACHE DEJA_MODE DEJA_VERIFY MAKEFLAGS
HOME=$scratch/home
export HOME
mkdir "$HOME"
files=64
headers=16
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# File N includes header N mod 16, and that includes the header of half its number: a change of one header reaches the files of
# others, too. Every file has a function, main adds them up.
generate() {
    mkdir -p src include
    k=0
    while [ $k -lt $headers ]; do
        {
            echo "#pragma once"
            [ $k = 0 ] || echo "#include \"h$((k / 2)).h\""
            echo "enum { VALUE_$k = $k };"
        } >include/h$k.h
        k=$((k + 1))
    done
    n=0
    echo "#include <stdio.h>" >src/main.c
    : >commands.ndjson
    while [ $n -lt $files ]; do
        printf '#include "h%d.h"\nint f%d(void);\nint f%d(void) { return VALUE_%d + %d; }\n' \
            $((n % headers)) $n $n $((n % headers)) $n >src/f$n.c
        printf '{"file": "src/f%d.c", "object": "build/f%d.o", "flags": "-Iinclude"}\n' $n $n >>commands.ndjson
        echo "int f$n(void);" >>src/main.c
        n=$((n + 1))
    done
    {
        echo "int main(void) {"
        echo "int sum = 0;"
        n=0
        while [ $n -lt $files ]; do
            echo "sum += f$n();"
            n=$((n + 1))
        done
        printf '%s\n' 'return printf("%d\n", sum) < 0; }'
    } >>src/main.c
    echo '{"file": "src/main.c", "object": "build/main.o", "flags": "-O0"}' >>commands.ndjson
}

batch() { # batch EXTRA_WORDS_OF_COMPILE
    cat >deja.yaml <<YAML
version: 1
jobs:
  compile:
    matrix: {ndjson: commands.ndjson}
    run: cc \${{ flags }} -MMD -MF \${{ object }}.d -c \${{ file }} -o \${{ output }}
    inputs: ["\${{ file }}"$2]
    outputs: {output: "\${{ object }}"}
    $1
  link:
    run: cc \${{ compile.outputs }} -o \${{ program }}
    outputs: {program: sums}
    needs: compile
  test:
    run: ./sums
    needs: link
YAML
}

# expect WHAT HITS RAN [OPTIONS]: a run in which so many jobs are answered and so many run.
expect() {
    what=$1 hits=$2 ran=$3
    shift 3
    "$deja" run --json "$@" >"$scratch/events" 2>"$scratch/messages" || fault "$what: failed: $(cat "$scratch/messages")"
    grep '"event":"summary"' "$scratch/events" | grep -q "\"hits\":$hits,\"ran\":$ran," ||
        fault "$what: expected $hits hits and $ran runs, got $(grep '"event":"summary"' "$scratch/events")"
}

# The files that reach header h3, as the compiler would: those of 3, 6, 7, 12 to 15.
is_dependant() {
    k=$(($1 % headers))
    while [ $k -gt 3 ]; do
        k=$((k / 2))
    done
    [ $k = 3 ]
}

expect_dependants_ran() {
    n=0
    while [ $n -lt $files ]; do
        ran=no
        grep '"event":"finished"' "$scratch/events" | grep -q "\"src/f$n.c\"" && ran=yes
        wanted=no
        is_dependant $n && wanted=yes
        [ $ran = $wanted ] || fault "$1: f$n.c ran: $ran, expected $wanted"
        n=$((n + 1))
    done
}

dependants=28 # of 64: seven of each sixteen

# states NAME: the project from nothing to a changed header, built as the batch says.
states() {
    expect "$1, first run" 0 67
    [ "$(./sums)" = "$(grep -o '"stdout":"[0-9]*' "$scratch/events" | tail -n 1 | cut -d'"' -f4)" ] ||
        fault "$1: the test's output is not that of the program"
    cksum build/*.o sums >"$scratch/first"
    expect "$1, nothing changed" 67 0 -j8
    touch include/h3.h
    expect "$1, a header touched" 67 0
    echo "/* a comment */" >>include/h3.h
    "$deja" why 'compile[file=src/f19.c]' >"$scratch/why" 2>&1 || true
    grep -q "include/h3.h" "$scratch/why" || fault "$1: why does not name the header: $(cat "$scratch/why")"
    "$deja" why 'compile[file=src/f4.c]' >"$scratch/why" 2>&1 || true
    grep -q "include/h3.h" "$scratch/why" && fault "$1: why names a header that f4.c does not include"
    expect "$1, a comment in a header" $((67 - dependants)) $dependants -j1
    expect_dependants_ran "$1, a comment in a header"
    cksum build/*.o sums >"$scratch/second"
    cmp -s "$scratch/first" "$scratch/second" || fault "$1: a comment changed what was built"
    sed -i 's/VALUE_3 = 3/VALUE_3 = 5/' include/h3.h
    expect "$1, another value" $((67 - dependants - 2)) $((dependants + 2))
    sed -i -e 's/VALUE_3 = 5/VALUE_3 = 3/' -e '/a comment/d' include/h3.h
    rm -rf build sums
    expect "$1, back again" 67 0
    cksum build/*.o sums >"$scratch/second"
    cmp -s "$scratch/first" "$scratch/second" || fault "$1: going back gave other bytes"
}

mkdir "$scratch/project"
cd "$scratch/project"
generate
batch "depfile: \"\${{ object }}.d\"" ""
states "by depfiles"
rm -rf .deja build sums
batch "" ', "include/h*.h"'
expect "by declared inputs, first run" 0 67
echo "/* a comment */" >>include/h3.h
expect "by declared inputs, a comment in a header" 2 65
[ $faults = 0 ]
