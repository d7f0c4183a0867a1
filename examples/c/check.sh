#!/bin/sh
# check.sh FOLDER: runs each program of FOLDER twice with a new cache, and expects what it prints: the first time computed,
# the second time answered from the cache.
set -eu
folder=$(cd "$1" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/examples.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
unset DEJA_MODE
export DEJA_CACHE="$scratch/cache"
cd "$scratch"
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# expect PROGRAM: it prints what is on standard input, and ends well.
expect() {
    cat >wanted
    if ! "$folder/$1" >out 2>err; then
        fault "$1 failed:" && cat out err
    elif ! diff -u wanted out; then
        fault "$1 prints something else" && cat err
    fi
}

# says PROGRAM NUMBER TEXT: in its last run it has said TEXT so often on standard error.
says() {
    [ "$(grep -c "$3" err)" = "$2" ] || fault "$1 says '$3' $(grep -c "$3" err) times, not $2: $(cat err)"
}

expect remember <<'END'
-0.998950
END
says remember 1 'simulating 10000000 steps'
expect remember <<'END'
-0.998950
END
says remember 0 simulating

expect map <<'END'
item 13: 'newton' ended its worker by signal 6 (Aborted)
rows: 7883 steps in all, 0 of 1000 from the cache
arrays: y[5000] = 0.780399, computed
END
expect map <<'END'
item 13: 'newton' ended its worker by signal 6 (Aborted)
rows: 7883 steps in all, 999 of 1000 from the cache
arrays: y[5000] = 0.780399, from the cache
END

expect values <<'END'
12 words, 8 of them different, 3.75 letters each, computed
error: 'word_stats': wants one string
END
expect values <<'END'
12 words, 8 of them different, 3.75 letters each, from the cache
error: 'word_stats': wants one string
END

expect arrays <<'END'
length of all columns: 500.000000, 0 failed, 0 of 10 from the cache
END
expect arrays <<'END'
length of all columns: 500.000000, 0 failed, 10 of 10 from the cache
END

expect futures <<'END'
10080640819006173037 = 71 * 839 * 1471 * 6857 * 16777259
0 of 9 calls from the cache
END
expect futures <<'END'
10080640819006173037 = 71 * 839 * 1471 * 6857 * 16777259
9 of 9 calls from the cache
END

expect stream <<'END'
230631 takes 442 steps, found in block 231, 0 from the cache
END
expect stream <<'END'
230631 takes 442 steps, found in block 231, 231 from the cache
END

expect async <<'END'
112447 bytes, 0 failed, 0 of 500 from the cache
END
expect async <<'END'
112447 bytes, 0 failed, 500 of 500 from the cache
END

expect model <<'END'
best score 0.001692, 0 of 20 from the cache
END
says model 1 'loading weights-1.bin'
expect model <<'END'
best score 0.001692, 20 of 20 from the cache
END

echo 'v 1 2 3' >scene.obj
expect memo <<'END'
brightness 382976, rendered
END
expect memo <<'END'
brightness 382976, from the cache
END
echo 'v 1 2 4' >scene.obj
expect memo <<'END'
brightness 384000, rendered
END

expect pipeline <<'END'
60 pages of 10725 letters, 'e' leads in 8, 0 failed, 0 of 180 calls from the cache
END
expect pipeline <<'END'
60 pages of 10725 letters, 'e' leads in 8, 0 failed, 180 of 180 calls from the cache
END
exit $((faults > 0))
