#!/bin/sh
# check.sh ROOT BUILD CMAKE: installs BUILD into a new folder, moves that, and builds the programs of examples/c there as
# an outside project does: by pkg-config, shared and static, with the program of README.md; by find_package, shared and static; and the header from C++.
# What is not there (pkg-config, a C++ compiler) is skipped; with CI set that is a failure.
set -eu
root=$1
build=$2
cmake=$3
scratch=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cc=${CC:-cc}
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

skip() {
    echo "skipped: $*"
    [ -z "${CI-}" ] || faults=$((faults + 1))
}

# try WHAT COMMAND...: silent unless it fails.
try() {
    what=$1
    shift
    "$@" >"$scratch/log" 2>&1 && return 0
    fault "$what:"
    cat "$scratch/log"
    return 1
}

# compile OUTPUT SOURCE... -- FLAGS...: with all warnings.
compile() {
    output=$1
    shift
    $cc -std=gnu17 -O1 -Wall -Wextra -Wpedantic -Werror -o "$output" "$@"
}

try 'install' "$cmake" --install "$build" --prefix "$scratch/first" || exit 1
mv "$scratch/first" "$scratch/deja" # nothing in it may know where it was put
library=$(find "$scratch/deja" -name libdeja.so)
library=${library%/libdeja.so}
for file in deja.h deja/error.h deja/value.h deja/job.h deja/pool.h deja/dump.h deja/cache.h; do
    [ -f "$scratch/deja/include/$file" ] || fault "include/$file is not installed"
done
[ -x "$scratch/deja/bin/deja" ] || fault "bin/deja is not installed"
[ -f "$scratch/deja/share/deja/events.schema.json" ] || fault "share/deja/events.schema.json is not installed"
if grep -rlI -F -e "$root" -e "$build" "$scratch/deja"; then
    fault "these files name the place where deja was built"
fi

# programs FOLDER FLAGS...: all of examples/c.
programs() {
    folder=$1
    shift
    mkdir "$scratch/$folder"
    for program in remember map values arrays futures stream model memo; do
        try "$folder: $program" compile "$scratch/$folder/$program" "$root/examples/c/$program.c" "$@" -lm || return 0
    done
    for program in async pipeline; do
        try "$folder: $program" compile "$scratch/$folder/$program" "$root/examples/c/$program.c" \
            "$root/examples/c/server.c" "$@" -lm || return 0
    done
}

if command -v pkg-config >/dev/null 2>&1; then
    export PKG_CONFIG_PATH="$library/pkgconfig"
    [ "$(pkg-config --modversion deja)" = "$("$scratch/deja/bin/deja" --version | sed 's/[^0-9]*//')" ] ||
        fault "deja.pc and the program are of different versions"
    # shellcheck disable=SC2046 # flags are words
    programs pkg $(pkg-config --cflags --libs deja)
    try 'pkg-config: runs' env LD_LIBRARY_PATH="$library" sh "$root/examples/c/check.sh" "$scratch/pkg" || :
    awk '/^```c$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$root/README.md" >"$scratch/postcard.c"
    # shellcheck disable=SC2046
    try 'the program of README.md' compile "$scratch/postcard" "$scratch/postcard.c" $(pkg-config --cflags --libs deja) || :
    [ "$(DEJA_CACHE=$scratch/postcards LD_LIBRARY_PATH=$library "$scratch/postcard")" = '-0.839072' ] ||
        fault 'the program of README.md prints something else'
    # shellcheck disable=SC2046
    programs pkg-static $(pkg-config --static --cflags --libs deja | sed "s,-ldeja ,$library/libdeja.a ,")
    try 'pkg-config --static: runs' env LD_LIBRARY_PATH= "$scratch/pkg-static/values" || :
else
    skip 'no pkg-config'
fi

# by_package NAME TARGET: a project with find_package(deja).
by_package() {
    mkdir "$scratch/$1"
    cp "$root"/examples/c/* "$scratch/$1"
    try "$1: configure" "$cmake" -S "$scratch/$1" -B "$scratch/$1/build" -DCMAKE_PREFIX_PATH="$scratch/deja" \
        -DCMAKE_C_FLAGS='-Wall -Wextra -Werror' -DCMAKE_C_COMPILER="$cc" -DDEJA_EXAMPLES_LINK="$2" || return 0
    try "$1: build" "$cmake" --build "$scratch/$1/build" -j 2 || return 0
}
export DEJA_CACHE="$scratch/cache"
by_package package deja::deja
try 'find_package: runs' sh "$root/examples/c/check.sh" "$scratch/package/build" || :
by_package package-static deja::deja_static
try 'find_package, static: runs' "$scratch/package-static/build/values" || :
if command -v readelf >/dev/null 2>&1 && readelf -d "$scratch/package-static/build/values" | grep -q 'libdeja\.so'; then
    fault "the static target links the shared library"
fi

# A program may define whatever does not begin with deja_, and link the archive.
if command -v nm >/dev/null 2>&1; then
    shown=$(nm -g --defined-only "$library/libdeja.a" | awk 'NF == 3 && $3 !~ /^deja_/ { print $3 }' | head -3)
    [ -z "$shown" ] || fault "libdeja.a shows" $shown
fi

for cxx in g++ clang++; do
    if ! command -v $cxx >/dev/null 2>&1; then
        skip "no $cxx"
        continue
    fi
    for standard in c++11 c++17 c++20; do
        try "$cxx -std=$standard" $cxx -std=$standard -Wall -Wextra -Werror -o "$scratch/twice" "$root/tests/install/twice.cc" \
            -I "$scratch/deja/include" -L "$library" -ldeja || continue
        [ "$(LD_LIBRARY_PATH=$library "$scratch/twice" 2>&1)" = 42 ] ||
            fault "$cxx -std=$standard: twice 21 is $(LD_LIBRARY_PATH=$library "$scratch/twice" 2>&1)"
    done
done
exit $((faults > 0))
