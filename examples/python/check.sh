#!/bin/sh
# check.sh BUILD: runs the tests of deja.py and its demonstration, twice, with numpy where it is there and without. BUILD is
# the folder with libdeja.so, deja and examples/c. Status 77: skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
. "$here/../../cmake/setup.sh"
if ! python=$(setup_python numpy || setup_python ctypes); then
    echo "skipped: no python3"
    [ "${CI-}" ] && exit 1
    exit 77
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/python.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_MODE PYTHONPATH
export DEJA_LIBRARY="$build/libdeja.so" DEJA_PROGRAM="$build/deja" PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
cd "$scratch"
faults=0

# expect WHAT FILE COMMAND...: it prints what is in FILE.
expect() {
    what=$1
    wanted=$2
    shift 2
    if ! "$@" >out 2>err || ! diff -u "$wanted" out; then
        echo "$what:" && cat err
        faults=$((faults + 1))
    fi
}

sed 's/computed/from the cache/; s/ 1 of 1000/ 1000 of 1000/; s/python: ran/python: did not run/' "$here/demo.expected" >again
for without in '' -S; do # -S: without site-packages, so without numpy
    export DEJA_CACHE="$scratch/cache$without"
    expect "first run $without" "$here/demo.expected" "$python" $without "$here/demo.py" "$build/examples/c/libnumbers.so"
    expect "second run $without" again "$python" $without "$here/demo.py" "$build/examples/c/libnumbers.so"
    "$python" $without "$here/test_deja.py" "$build/examples/c/abi" "$build/examples/c/libnumbers.so" >log 2>&1 || {
        cat log
        faults=$((faults + 1))
    }
done
exit $((faults > 0))
