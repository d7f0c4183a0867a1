# What the run_*.sh tests share. Sourced with $deja and $start set: makes $scratch, which is removed at the end.
#     fault TEXT...       counts and prints a fault          finish        ends the test
#     settle NAME         waits until nothing of the run $scratch/$1 lives any more
#     wait_for TEXT...    waits until a command succeeds
# Processes of a run are known by the variable RAN in their environment, the file in which jobs note that they ran.

scratch=$(mktemp -d "${TMPDIR:-/tmp}/deja-fault.XXXXXX")
mkdir "$scratch/tmp"
faults=0
unset DEJA_CACHE DEJA_MODE DEJA_VERIFY DEJA_TRACE NO_COLOR RAN
TMPDIR=$scratch/tmp
export TMPDIR

# Nothing of a test may outlive it, not even of one that found a fault.
leave() {
    living "$scratch" | while read -r pid; do
        kill -9 "$pid" 2>/dev/null || true
    done
    [ -z "${mounted-}" ] || umount "$mounted" 2>/dev/null || true
    chmod -R u+rwX "$scratch"
    rm -rf "$scratch"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fault() {
    echo "$*"
    faults=$((faults + 1))
}

finish() {
    exit $((faults > 0))
}

# The processes whose variable RAN begins with $1.
living() {
    for environment in /proc/[0-9]*/environ; do
        if grep -q -z -s "^RAN=$1" "$environment"; then
            environment=${environment#/proc/}
            echo "${environment%/environ}"
        fi
    done
}

# wait_for COMMAND...: up to 30 s, then it fails.
wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || return 1
        sleep 0.05
    done
}

nothing_lives() {
    [ -z "$(living "$1")" ]
}

settle() {
    wait_for nothing_lives "$scratch/$1" && return 0
    fault "$1: still alive: $(living "$scratch/$1" | while read -r pid; do
        tr '\0' ' ' <"/proc/$pid/cmdline"
        echo "(pid $pid)"
    done)"
}

# nothing_left FOLDER...: no temporary file of ours.
nothing_left() {
    left=$(find "$@" "$scratch/tmp" -name '.deja-*' -o -path "$scratch/tmp/*")
    [ -z "$left" ] || fault "left behind: $left"
}
