#!/bin/sh
# run_calls.sh DEJA START PROBE: a run with calls is interrupted, stopped and killed. No worker stays, the exit status tells
# which signal it was, outputs of what was ended are removed, and what was finished is kept.
set -eu
deja=$1 start=$2 probe=$3
. "$(dirname "$0")/run_common.sh"

mkdir "$scratch/batch"
cp "$probe" "$scratch/batch/lib.so"
chmod go-w "$scratch/batch/lib.so"
cat >"$scratch/batch/deja.yaml" <<'YAML'
version: 1
jobs:
  quick:
    matrix: {n: {range: [1, 5]}}
    call: ./lib.so:probe_add
    with: {n: "${{ n }}", one: 1}
  long:
    needs: quick
    call: ./lib.so:probe_note
    with: {note: "${{ o }}", how: loop}
    outputs: {o: long.out}
  deaf:
    needs: quick
    call: ./lib.so:probe_note
    with: {note: "${{ o }}", how: deaf}
    outputs: {o: deaf.out}
YAML

begun() {
    [ -e "$scratch/round/$job.out" ]
}

begin() {
    case=$1 job=$2
    cp -R "$scratch/batch" "$scratch/round"
    RAN=$scratch/round "$start" "$deja" run -C "$scratch/round" -j2 --quiet "$job" >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    wait_for begun || fault "$case: '$job' was not called: $(cat "$scratch/err")"
}

end() {
    status=0
    wait "$pid" || status=$?
    [ "$status" = "$1" ] || fault "$case: exit status $status, not $1: $(cat "$scratch/err")"
    settle round
}

# What was finished is answered.
again() {
    hits=$("$deja" run -C "$scratch/round" --json --quiet quick | grep -c '"event":"hit"') || true
    [ "$hits" = 5 ] || fault "$case: $hits of 5 calls are kept"
    nothing_left "$scratch/round"
    rm -rf "$scratch/round"
}

no_output() {
    [ ! -e "$scratch/round/$job.out" ] || fault "$case: the output of '$job' is still there"
}

for signal in INT:130 TERM:143 HUP:129; do
    begin "${signal%:*} once" long
    kill -"${signal%:*}" "$pid"
    end "${signal#*:}"
    no_output
    again
done

begin "INT twice" deaf
kill -INT "$pid"
sleep 0.2
kill -INT "$pid"
end 130
no_output
again

begin "TERM once, a function that is deaf" deaf
kill -TERM "$pid"
end 143
no_output
again

# Jobs that need others start before the results of these are durable.
are_kept() {
    [ "$("$deja" cache ls --cache "$scratch/round/.deja" | grep -c quick)" = 5 ]
}
begin "KILL" long
wait_for are_kept || fault "$case: what was finished is not kept"
kill -KILL "$pid"
end 137
again

# Stopped and continued: the function is, too.
ticks() {
    wc -c <"$scratch/round/long.out"
}
stands() {
    before=$(ticks)
    sleep 0.1
    [ "$(ticks)" = "$before" ]
}
goes() {
    ! stands
}
# In an orphaned process group (nobody is there who could continue it) the kernel drops TSTP.
can_stop() {
    sleep 10 &
    sleeper=$!
    kill -TSTP "$sleeper"
    sleep 0.2
    state=$(ps -o stat= -p "$sleeper")
    kill -KILL "$sleeper"
    case $state in T*) return 0 ;; *) return 1 ;; esac
}
if can_stop; then
    begin "TSTP and CONT" long
    kill -TSTP "$pid"
    wait_for stands || fault "$case: the function goes on"
    kill -CONT "$pid"
    wait_for goes || fault "$case: the function does not go on"
    kill -INT "$pid"
    end 130
    again
else
    echo "TSTP is not tried: this process group is orphaned"
fi
finish
