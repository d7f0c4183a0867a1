#!/bin/sh
# run_limits.sh DEJA KIND LIMIT: a run with few descriptors (KIND descriptors, RLIMIT_NOFILE) or processes (KIND processes,
# RLIMIT_NPROC, as an ordinary user). From 32 on all jobs run and no output is lost. Below that either, or the run ends within
# 5 s and says why in the kernel's words.
# Status 77: it cannot be tried here.
set -eu
deja=$1 kind=$2 limit=$3
. "$(dirname "$0")/run_common.sh"

jobs=30
mkdir "$scratch/batch"
cat >"$scratch/batch/deja.yaml" <<YAML
version: 1
jobs:
  a:
    matrix: {n: {range: [1, $jobs]}}
    run: echo "out \${{ n }}"; echo "err \${{ n }}" >&2
YAML

if [ "$kind" = descriptors ]; then
    set -- sh -c "ulimit -n $limit && exec \"\$@\"" sh
else
    set -- sh -c "exec \"\$@\"" sh prlimit --nproc="$limit"
    if [ "$(id -u)" = 0 ]; then
        # a user who has no other process
        user=$((2000000000 + $$))
        set -- setpriv --reuid $user --regid $user --clear-groups "$@"
        chmod 711 "$scratch"
        chown -R $user:$user "$scratch/batch" "$scratch/tmp"
    fi
    if ! "$@" test -x "$deja" 2>/dev/null; then
        echo "skipped: no user with a limit of processes"
        exit 77
    fi
fi

status=0
begin=$(date +%s)
RAN=$scratch/ran timeout 60 "$@" "$deja" run -C "$scratch/batch" -j4 --quiet >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
took=$(($(date +%s) - begin))
settle ran
tell() {
    fault "$kind $limit: $1, exit status $status, it says:
$(head -n 20 "$scratch/err")"
}

# whole NAME: all lines of a stream, in the order of the batch
whole() {
    seq 1 $jobs | sed "s/^/$1 /"
}
if [ "$status" = 0 ] || [ "$status" = 3 ]; then # 3: without a cache
    whole out | cmp -s - "$scratch/out" || tell "not all of the output"
    [ "$(grep -c -x 'err [0-9]*' "$scratch/err")" = $jobs ] || tell "not all of the error output"
elif [ "$status" = 124 ] || [ "$status" -gt 128 ]; then
    tell "it did not end"
elif [ "$limit" -ge 32 ]; then
    tell "not all jobs ran"
else
    [ "$took" -le 6 ] || tell "it took $took s to say why" # whole seconds, of which the first had begun
    grep -q -E 'Too many open files|Resource temporarily unavailable' "$scratch/err" || tell "it does not say why"
fi
finish
