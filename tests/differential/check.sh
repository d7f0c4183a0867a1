#!/bin/sh
# check.sh DEJA GENERATE FIRST LAST: the random batches of the seeds FIRST to LAST, and check.sh DEJA example FOLDER: the batch
# of an example in small. Each is run in several ways that must agree in standard output, what the jobs say on standard
# error, exit status, and all files:
#     one at a time, four at a time, from a full cache, from a full cache without the outputs, without a cache
# and what should come from the cache may not run.
set -eu
deja=$1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/differential.XXXXXX")
trap 'chmod -R u+rwX "$scratch"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_CACHE DEJA_MODE DEJA_VERIFY NO_COLOR
LC_ALL=C.UTF-8
export LC_ALL
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# way NAME FOLDER ARGUMENTS: a run in $scratch/FOLDER; what came of it is kept in $scratch/NAME.
way() {
    name=$1 folder=$scratch/$2
    shift 2
    mkdir "$scratch/$name"
    : >"$scratch/ran"
    status=0
    RAN=$scratch/ran timeout 120 "$deja" run -C "$folder" --quiet "$@" >"$scratch/$name/stdout" 2>"$scratch/stderr" || status=$?
    echo "$status" >"$scratch/$name/status"
    grep '^E:' "$scratch/stderr" >"$scratch/$name/said" || true
    if [ -d "$folder/out" ]; then
        cp -R "$folder/out" "$scratch/$name/out"
        (cd "$folder/out" && find . -type f -perm -100 | sort) >"$scratch/$name/executable"
    fi
    cp "$scratch/ran" "$scratch/ran.$name"
    case $status in
    0 | 1) ;;
    *) fault "$batch, $name: exit status $status: $(cat "$scratch/stderr")" ;;
    esac
}

# agree NAME: it came to the same as the first way.
agree() {
    diff -r "$scratch/one" "$scratch/$1" >"$scratch/diff" 2>&1 && return 0
    fault "$batch: '$1' differs from 'one':"
    head -n 40 "$scratch/diff"
}

# answered NAME: nothing ran that the cache has the answer for.
answered() {
    [ -s "$scratch/ran.$1" ] || return 0
    fault "$batch, $1: ran again: $(sort "$scratch/ran.$1" | uniq -c | tr '\n' ' ')"
}

# All ways of the batch in $scratch/batch.
compare() {
    for copy in a b c; do
        cp -R "$scratch/batch" "$scratch/$copy"
    done
    way one a -j1
    way four b -j4
    agree four
    way warm-one a -j1
    agree warm-one
    answered warm-one
    way warm-four b -j4
    agree warm-four
    answered warm-four
    rm -rf "$scratch/b/out"
    way restored b -j3
    agree restored
    DEJA_MODE=off
    export DEJA_MODE
    way off c -j3
    unset DEJA_MODE
    agree off
    if [ "$faults" != 0 ]; then
        exit 1
    fi
    chmod -R u+rwX "$scratch"
    rm -rf "${scratch:?}"/*
}

if [ "$2" = example ]; then
    batch=$(basename "$3")
    mkdir "$scratch/batch"
    find "$3" -maxdepth 1 -type f -exec cp {} "$scratch/batch" \;
    sed -e 's/, 41\]/, 4]/' -e 's/\[1, 8\]/[1, 2]/' -e 's/ 300 / 40 /' "$3/deja.yaml" >"$scratch/batch/deja.yaml"
    compare
    exit 0
fi
seed=$3
while [ "$seed" -le "$4" ]; do
    batch="seed $seed"
    mkdir "$scratch/batch"
    "$2" "$seed" "$scratch/batch"
    compare
    seed=$((seed + 1))
done
