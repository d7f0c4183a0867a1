#!/bin/sh
# run_restore.sh DEJA START ROUNDS SEED: outputs are removed, edited and replaced by links, then two runs restore them at the
# same time and one of them is killed at a random moment. The other one answers everything from the cache, all outputs are
# right, no temporary file is left, and edits go nowhere but into the outputs.
set -eu
deja=$1 start=$2 rounds=$3 seed=$4
. "$(dirname "$0")/run_common.sh"

mkdir "$scratch/batch"
cat >"$scratch/batch/deja.yaml" <<'YAML'
version: 1
jobs:
  make:
    matrix: {n: {range: [1, 24]}}
    run: |
      echo ${{ n }} >> "$RAN"
      seq ${{ n }} 60000 > ${{ large }}
      echo ${{ n }} > ${{ small }}
      chmod 750 ${{ small }}
      : > ${{ empty }}
      ln -s ${{ n }}.large ${{ link }}
      seq ${{ n }} 9000
    outputs:
      large: "out/${{ n }}.large"
      small: "out/${{ n }}.small"
      empty: "out/${{ n }}.empty"
      link: "out/${{ n }}.link"
YAML

# go NAME: one run, in the background.
go() {
    RAN=$scratch/$1.ran "$start" "$deja" run -C "$scratch/batch" -j2 --quiet >"$scratch/$1.out" 2>"$scratch/$1.err" &
}

# What jobs would never leave: each output is missing, edited, a link to a file of somebody, or has another mode.
harm() {
    rm -rf "$scratch/batch/victim"
    echo victim >"$scratch/batch/victim"
    ls "$scratch/batch/out" | awk -v seed="$seed$round" 'BEGIN { srand(seed) } { print int(rand() * 5), $0 }' >"$scratch/harm"
    while read -r how name; do
        path=$scratch/batch/out/$name
        case $how in
        0) rm -f "$path" ;;
        1) rm -f "$path" && echo edited >"$path" ;;
        2) ln -sf ../victim "$path" ;;
        3) [ -h "$path" ] || chmod 600 "$path" ;;
        4) : ;;
        esac
    done <"$scratch/harm"
}

# Names, contents, modes and the texts of links below $1.
listing() {
    (
        cd "$1"
        find . -type f -exec cksum {} +
        find . -type f -exec stat -c '%n %a' {} +
        find . -type l -exec sh -c 'for link; do echo "$link -> $(readlink "$link")"; done' sh {} +
        find . ! -type f ! -type l
    ) | sort
}

go first
wait
settle first.ran
[ ! -s "$scratch/first.err" ] || fault "the first run says: $(cat "$scratch/first.err")"
listing "$scratch/batch/out" >"$scratch/right"

round=0
killed=0
for after in $(awk -v rounds="$rounds" -v seed="$seed" 'BEGIN { srand(seed); for (i = 0; i < rounds; i++) printf "%.3f ", rand() * 0.06 }'); do
    round=$((round + 1))
    harm
    : >"$scratch/one.ran"
    : >"$scratch/two.ran"
    go one
    one=$!
    go two
    two=$!
    sleep "$after"
    kill -9 "$one" 2>/dev/null || true
    status=0
    wait "$one" 2>/dev/null || status=$?
    [ "$status" != 137 ] || killed=$((killed + 1))
    status=0
    wait "$two" || status=$?
    [ "$status" = 0 ] || fault "round $round: exit status $status: $(cat "$scratch/two.err")"
    settle one.ran
    settle two.ran
    [ ! -s "$scratch/one.ran" ] && [ ! -s "$scratch/two.ran" ] || fault "round $round: jobs ran again"
    cmp -s "$scratch/first.out" "$scratch/two.out" || fault "round $round: another standard output"
    listing "$scratch/batch/out" | diff "$scratch/right" - || fault "round $round: other outputs"
    [ "$(cat "$scratch/batch/victim")" = victim ] || fault "round $round: a link was followed"
    nothing_left "$scratch/batch"
done
echo "$rounds rounds, $killed runs killed"
[ "$killed" -gt 0 ] || fault "no run was killed: it shows nothing"
finish
