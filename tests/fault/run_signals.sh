#!/bin/sh
# run_signals.sh DEJA START: INT, TERM and HUP, once and twice. The exit status tells which, no job stays, what was finished
# is kept.
set -eu
deja=$1 start=$2
. "$(dirname "$0")/run_common.sh"

mkdir "$scratch/batch"
cat >"$scratch/batch/deja.yaml" <<'YAML'
version: 1
jobs:
  quick:
    matrix: {n: {range: [1, 5]}}
    run: echo ${{ n }} >> "$RAN"; echo quick ${{ n }}
  tidy:
    needs: quick
    run: |
      trap 'echo tidied >> "$RAN"; exit 9' TERM
      echo tidy >> "$RAN"
      while :; do sleep 0.05; done
  stubborn:
    needs: quick
    run: |
      trap '' TERM INT HUP
      (setsid sleep 98765 &)
      echo stubborn >> "$RAN"
      while :; do sleep 0.05; done
  later:
    needs: {tidy: order}
    run: echo later >> "$RAN"
YAML

has() {
    grep -q -x "$1" "$scratch/round.ran"
}

both_run() {
    has tidy && { [ "$job" = tidy ] || has stubborn; }
}

begin() {
    cp -R "$scratch/batch" "$scratch/round"
    : >"$scratch/round.ran"
    RAN=$scratch/round.ran "$start" "$deja" run -C "$scratch/round" -j2 --quiet $job >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    wait_for both_run || fault "$case: the jobs did not start: $(cat "$scratch/err")"
}

# end STATUS: what must be so afterwards, however it came.
end() {
    status=0
    wait "$pid" || status=$?
    [ "$status" = "$1" ] || fault "$case: exit status $status, not $1: $(cat "$scratch/err")"
    settle round.ran
    has later && fault "$case: a job was started afterwards"
    sort "$scratch/out" >"$scratch/sorted"
    seq 1 5 | sed 's/^/quick /' | cmp -s - "$scratch/sorted" || fault "$case: standard output is $(cat "$scratch/out")"
    : >"$scratch/round.ran"
    RAN=$scratch/round.ran "$deja" run -C "$scratch/round" --quiet quick >"$scratch/out" || fault "$case: the next run failed"
    [ ! -s "$scratch/round.ran" ] || fault "$case: what was finished ran again: $(tr '\n' ' ' <"$scratch/round.ran")"
    nothing_left "$scratch/round"
    rm -rf "$scratch/round"
}

# once SIGNAL STATUS: the jobs are asked to end, and one of them takes its time to say so.
once() {
    case="$1 once"
    job=tidy
    begin
    kill -"$1" "$pid"
    wait_for has tidied || fault "$case: the job was not asked to end"
    end "$2"
}

# twice SIGNAL STATUS: a job that does not listen is killed by the second one.
twice() {
    case="$1 twice"
    job="tidy stubborn"
    begin
    kill -"$1" "$pid"
    wait_for has tidied || fault "$case: the jobs were not asked to end"
    kill -"$1" "$pid"
    end "$2"
}

once INT 130
once TERM 143
once HUP 129
twice INT 130
twice TERM 143
twice HUP 129

# A job that does not listen is killed when its time of grace is over.
case="TERM once, a job that ignores it"
job="tidy stubborn"
begin
kill -TERM "$pid"
end 143
finish
