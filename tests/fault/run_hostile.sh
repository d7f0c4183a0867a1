#!/bin/sh
# run_hostile.sh DEJA START: jobs that try to outlive the run. Each writes the pid of what tries to stay; then deja is killed
# with -9, or the jobs end, and nothing of them may be left. Cleared environments hide them from everything but the runner.
set -eu
deja=$1 start=$2
. "$(dirname "$0")/run_common.sh"

mkdir "$scratch/pid"
outlive() {
    cat <<'YAML'
  liar: # calls itself what the runner's own helper is called
    run: |
      setsid sh -c 'printf deja-warden >/proc/$$/comm; echo $$ >"$PIDS/liar"; while :; do sleep 0.1; done' >/dev/null 2>&1 &
      sleep 100
  heir: # no mark, no parent, but the group of the job
    run: env -i PATH="$PATH" sh -c "echo \$\$ >$PIDS/heir; exec sleep 98765" & sleep 100
  stopped:
    run: setsid sh -c 'echo $$ >"$PIDS/stopped"; kill -STOP $$; sleep 98765' & sleep 100
  closed: # no descriptor of ours
    run: (trap '' TERM HUP INT; setsid sh -c 'echo $$ >"$PIDS/closed"; exec sleep 98765' <&- >&- 2>&- &) ; sleep 100
YAML
}

mkdir "$scratch/inner" "$scratch/plain" "$scratch/outer"
{
    echo 'version: 1'
    echo 'jobs:'
    outlive
} | tee "$scratch/plain/deja.yaml" >"$scratch/inner/deja.yaml"
cat >"$scratch/outer/deja.yaml" <<YAML
version: 1
jobs:
  inner: {run: "$(realpath "$deja") run -q -j4 -C $scratch/inner"}
YAML

all_there() {
    for name in liar heir stopped closed; do
        [ -s "$PIDS/$name" ] || return 1
    done
}

# A zombie is dead: whoever should wait for it is not ours.
is_dead() {
    state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
    case $state in
    Z* | X* | '') return 0 ;;
    esac
    return 1
}

nothing_stays() {
    for name in liar heir stopped closed; do
        pid=$(cat "$PIDS/$name")
        wait_for is_dead "$pid" || {
            fault "$case: '$name' is still there"
            kill -9 "$pid"
        }
    done
    settle hostile.ran
}

# attempt NAME SIGNAL: the run of batch NAME gets SIGNAL when all of its jobs are at work.
attempt() {
    case="$1, $2"
    PIDS=$scratch/pid/$1.$2
    mkdir "$PIDS"
    PIDS=$PIDS RAN=$scratch/hostile.ran "$start" "$deja" run -C "$scratch/$1" -j4 --quiet >"$scratch/out" 2>"$scratch/err" &
    pid=$!
    wait_for all_there || {
        fault "$case: the jobs did not start: $(cat "$scratch/err")"
        return
    }
    kill "-$2" "$pid"
    status=0
    wait "$pid" || status=$?
    nothing_stays
}

attempt plain KILL
attempt outer KILL
attempt plain INT
attempt outer INT
finish
