#!/bin/sh
# headers.sh ROOT: each public header compiles alone, seeing only its own layer and the lower ones, as C17 and as C++,
# with gcc and with clang where they are; in plain C17 with the names of POSIX (sigset_t, pid_t). With CI set a missing compiler is a failure.
set -eu
root=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0

folders_of() {
    case $1 in
    */cache/base/*) echo "cache/base" ;;
    */cache/value/*) echo "cache/base cache/value" ;;
    */cache/*) echo "cache/base cache/value cache" ;;
    */runner/*) echo "cache/base cache/value runner" ;;
    *) echo "cache/base cache/value cache runner jobs/calls jobs" ;;
    esac
}

# compile COMPILER LANGUAGE STANDARD
compile() {
    if ! command -v "$1" >/dev/null 2>&1 || ! echo 'int x;' | "$1" -x "$2" -fsyntax-only - 2>/dev/null; then
        echo "skipped: no $1 for $2"
        [ -z "${CI-}" ] || faults=$((faults + 1))
        return 0
    fi
    for header in "$root"/cache/base/include "$root"/cache/value/include "$root"/cache/include "$root"/runner/include "$root"/jobs/calls/include "$root"/jobs/include; do
        [ -d "$header" ] || continue
        find "$header" -name '*.h'
    done | LC_ALL=C sort >"$scratch/headers"
    while read -r header; do
        set -- "$1" "$2" "$3"
        flags=
        for folder in $(folders_of "$header"); do
            flags="$flags -I$root/$folder/include"
        done
        echo "#include <${header##*/include/}>" >"$scratch/alone"
        # shellcheck disable=SC2086 # flags are words
        if ! "$1" -x "$2" "-std=$3" -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -fsyntax-only $flags "$scratch/alone" >"$scratch/log" 2>&1; then
            echo "${header#"$root"/} does not compile alone with $1 as $3:"
            cat "$scratch/log"
            faults=$((faults + 1))
        fi
    done <"$scratch/headers"
}

for compiler in gcc clang; do
    compile $compiler c c17
    compile $compiler c gnu17
    compile $compiler c++ c++17
done
exit $((faults > 0))
