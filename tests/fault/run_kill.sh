#!/bin/sh
# run_kill.sh DEJA START ROUNDS SEED: kills `deja run` at random moments and completes it by a second run. Nothing that was
# acknowledged, by its "finished" event or by its printed output, may run again; outputs are right; no process stays, not
# one that called setsid or forked twice; no temporary file is left.
set -eu
deja=$1 start=$2 rounds=$3 seed=$4
. "$(dirname "$0")/run_common.sh"

jobs=30
mkdir "$scratch/batch"
cat >"$scratch/batch/deja.yaml" <<YAML
version: 1
jobs:
  step:
    matrix: {n: {range: [1, $jobs]}}
    run: |
      echo \${{ n }} >> "\$RAN"
      seq \${{ n }} 4000 > \${{ out }}
      case \${{ n }} in # what is left at the end of a job spoils its result: gone again by then
      *3) (setsid sleep 98765 < /dev/null > /dev/null 2>&1 & c=\$!; until [ "\$(ps -o sid= \$c)" -eq \$c ]; do :; done; sleep 0.01; kill -9 \$c; wait \$c) 2> /dev/null || : ;;
      *7) (trap '' TERM HUP; sleep 98765 < /dev/null > /dev/null 2>&1 & c=\$!; sleep 0.02; kill -9 \$c; wait \$c) 2> /dev/null || : ;;
      *) sleep 0.01 ;;
      esac
      echo made \${{ n }}
    outputs: {out: "out/\${{ n }}.txt"}
  all:
    needs: step
    run: |
      echo all >> "\$RAN"
      cat \${{ step.outputs }} > \${{ out }}
      echo made all
    outputs: {out: out/all.txt}
YAML

expected() {
    cp -R "$scratch/batch" "$scratch/right"
    RAN=$scratch/right.ran DEJA_MODE=off "$deja" run -C "$scratch/right" --quiet -j2 >"$scratch/right.out"
    settle right.ran
}

# The jobs that were acknowledged: whole lines only, the last one may be cut.
acknowledged() {
    sed -n -e 's/^{"event":"finished","job":"step","params":{"n":"\([0-9]*\)"}.*}$/\1/p' \
        -e 's/^{"event":"finished","job":"all".*}$/all/p' "$scratch/killed.out"
    if [ "$json" = "" ]; then
        awk '/^made / { print $2 }' "$scratch/killed.out"
    fi
}

# One run that is killed after $1 seconds.
run_and_kill() {
    RAN=$scratch/killed.ran "$start" "$deja" run -C "$scratch/round" -j2 --quiet $json >"$scratch/killed.out" 2>"$scratch/killed.err" &
    pid=$!
    sleep "$1"
    kill -9 "$pid" 2>/dev/null || true
    status=0
    wait "$pid" 2>/dev/null || status=$?
    case $status in
    0 | 137) ;;
    *) fault "round $round: exit status $status before the kill: $(cat "$scratch/killed.err")" ;;
    esac
    settle killed.ran
}

second_run() {
    RAN=$scratch/second.ran "$start" "$deja" run -C "$scratch/round" -j2 --quiet >"$scratch/second.out" 2>"$scratch/second.err" ||
        fault "round $round: the second run failed: $(cat "$scratch/second.err")"
    settle second.ran
    [ ! -s "$scratch/second.err" ] || fault "round $round: the second run says: $(cat "$scratch/second.err")"
}

check() {
    acknowledged | sort >"$scratch/acknowledged"
    sort "$scratch/second.ran" >"$scratch/again"
    twice=$(comm -12 "$scratch/acknowledged" "$scratch/again" | tr '\n' ' ')
    [ -z "$twice" ] || fault "round $round (killed after $after s): acknowledged, and run again: $twice"
    cmp -s "$scratch/right.out" "$scratch/second.out" || fault "round $round: another standard output"
    diff -r "$scratch/right/out" "$scratch/round/out" || fault "round $round: other outputs"
    nothing_left "$scratch/round"
}

# Random moments, as many as rounds, in the time that an undisturbed run takes here.
moments() {
    cp -R "$scratch/batch" "$scratch/round"
    read -r begin _ </proc/uptime
    RAN=$scratch/whole.ran "$deja" run -C "$scratch/round" -j2 --quiet >/dev/null
    read -r end _ </proc/uptime
    rm -rf "$scratch/round"
    settle whole.ran
    moments=$(awk -v rounds="$rounds" -v seed="$seed" -v time="$(echo "$begin $end" | awk '{ print $2 - $1 }')" 'BEGIN {
        srand(seed)
        for (i = 0; i < rounds; i++) printf "%.3f ", rand() * time
    }')
}

expected
moments
round=0
answered=0
for after in $moments; do
    round=$((round + 1))
    json=
    [ $((round % 2)) = 0 ] && json=--json
    cp -R "$scratch/batch" "$scratch/round"
    : >"$scratch/killed.ran"
    : >"$scratch/second.ran"
    run_and_kill "$after"
    second_run
    check
    answered=$((answered + $(wc -l <"$scratch/acknowledged")))
    rm -rf "$scratch/round"
done
echo "$rounds rounds, $answered jobs were acknowledged before the kill"
[ "$answered" -gt 0 ] || fault "no round acknowledged anything: it shows nothing"
finish
