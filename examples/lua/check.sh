#!/bin/sh
# check.sh BUILD: runs the demonstration twice. BUILD is the folder with libdeja.so, examples/c and examples/lua/deja.cdef.
# Status 77: skipped.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
if ! command -v luajit >/dev/null 2>&1; then
    echo "skipped: no luajit"
    [ "${CI-}" ] && exit 1
    exit 77
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lua.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_MODE LUA_PATH LUA_INIT
export DEJA_LIBRARY="$build/libdeja.so" DEJA_CDEF="$build/examples/lua/deja.cdef" DEJA_CACHE="$scratch/cache"
cd "$scratch"
faults=0

# expect WHAT FILE
expect() {
    if ! luajit "$here/demo.lua" "$build/examples/c/abi" "$build/examples/c/libnumbers.so" >out 2>err || ! diff -u "$2" out; then
        echo "$1:" && cat err
        faults=$((faults + 1))
    fi
}

sed 's/computed/from the cache/' "$here/demo.expected" >again
expect 'first run' "$here/demo.expected"
expect 'second run' again
exit $((faults > 0))
