#!/bin/sh
# cdef.sh OUTPUT [FLAGS...]: writes deja.h as LuaJIT reads it: preprocessed by the C compiler ($CC) with FLAGS (say those of
# `pkg-config --cflags deja`), without system headers, attributes, inline functions and assertions; numeric macros become
# constants.
set -eu
output=$1
shift
scratch=$(mktemp -d "${TMPDIR:-/tmp}/cdef.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
for header in stddef.h stdint.h string.h; do
    : >"$scratch/$header" # LuaJIT knows the types, the rest is for inline functions
done
echo '#include <deja.h>' >"$scratch/all.c"

preprocess() {
    ${CC:-cc} -E -nostdinc -I "$scratch" "$@" '-D__attribute__(x)=' '-D_Static_assert(...)=' "$scratch/all.c"
}

{
    preprocess "$@" -P | awk '
        !inside && /^static inline/ { inside = 1; depth = opened = 0 }
        inside {
            for (i = 1; i <= length($0); i++) {
                c = substr($0, i, 1)
                if (c == "{") { depth++; opened = 1 }
                if (c == "}") depth--
            }
            if (opened && depth == 0) inside = 0
            next
        }
        { print }'
    preprocess "$@" -dM | awk '$2 ~ /^DEJA_[A-Z_]*$/ && NF == 3 && $3 ~ /^[0-9]+u?$/ {
        sub(/u$/, "", $3)
        print "static const int " $2 " = " $3 ";"
    }' | LC_ALL=C sort
} >"$scratch/cdef"
mv "$scratch/cdef" "$output"
