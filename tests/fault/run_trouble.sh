#!/bin/sh
# run_trouble.sh DEJA CASE: a cache that cannot be used. The jobs run all the same and their results are right; one clear
# message says what the matter is; exit status 3 says that results were not kept (0 where they could be after all); once
# the trouble is over everything is as it should be. Cases: full-disk full-from-the-start full-batch read-only other-user
# unwritable writable-by-others no-folder damaged newer
# Status 77: this case cannot run here (mounts need root and mount namespaces).
set -eu
deja=$1 case=$2
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

# Those that mount do so where nobody else sees it.
case $case in
full-* | read-only)
    if [ "${3-}" != inside ]; then
        if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
            echo "skipped: mounting needs root and mount namespaces"
            exit 77
        fi
        exec unshare -m sh "$self" "$deja" "$case" inside
    fi
    ;;
esac
. "$(dirname "$self")/run_common.sh"

mkdir "$scratch/batch" "$scratch/cache"
chmod 700 "$scratch/cache"
cat >"$scratch/batch/deja.yaml" <<'YAML'
version: 1
jobs:
  make:
    matrix: {n: {range: [1, 12]}}
    run: |
      echo ${{ n }} >> "$RAN"
      awk -v n=${{ n }} 'BEGIN { srand(n); for (i = 0; i < 12000; i++) printf "%.9f\n", rand() }' > ${{ out }}
      echo made ${{ n }}
    outputs: {out: "out/${{ n }}.txt"}
  all:
    needs: make
    run: cat ${{ make.outputs }} | cksum
YAML

# run NAME [ARGUMENTS]: status in $status, the rest in $scratch/NAME.*; ten seconds are for slow machines.
run() {
    name=$1
    shift
    : >"$scratch/$name.ran"
    status=0
    RAN=$scratch/$name.ran timeout 60 $as "$deja" run -C "$scratch/batch" --cache "$scratch/cache" --quiet -j2 "$@" \
        >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null || status=$?
    settle "$name.ran"
}

# expect NAME STATUS TEXT: exit status, right results, and TEXT (a pattern; empty: silence) in one message of few lines.
expect() {
    [ "$status" = "$2" ] || fault "$case, $1: exit status $status, not $2"
    cmp -s "$scratch/right.out" "$scratch/$1.out" || fault "$case, $1: another standard output"
    diff -r "$scratch/right" "$scratch/batch/out" >/dev/null || fault "$case, $1: other outputs"
    lines=$(wc -l <"$scratch/$1.err")
    if [ "$3" = "" ]; then
        [ "$lines" = 0 ] || fault "$case, $1: it says: $(cat "$scratch/$1.err")"
    elif ! grep -q "$3" "$scratch/$1.err" || [ "$lines" -gt 2 ]; then
        fault "$case, $1: expected one message with '$3': $(cat "$scratch/$1.err")"
    fi
}

# ran NAME COUNT: so many jobs ran in it.
ran() {
    count=$(wc -l <"$scratch/$1.ran")
    [ "$count" = "$2" ] || fault "$case, $1: $count jobs ran, not $2"
}

# names_the_cache NAME: every warning says which cache it speaks of.
names_the_cache() {
    ! grep 'warning' "$scratch/$1.err" | grep -v "'$scratch/cache['/]" || fault "$case, $1: no path in the message"
}

all_is_well() {
    run after
    expect after 0 ''
    run again
    expect again 0 ''
    ran again 0
    nothing_left "$scratch/batch" "$scratch/cache"
}

# What is in the cache can be used where nothing can be written.
reading_answers() {
    rm -rf "$scratch/batch/out"
    DEJA_MODE=readonly
    export DEJA_MODE
    run reading
    unset DEJA_MODE
    expect reading 0 ''
    ran reading 0
}

as=
DEJA_MODE=off
export DEJA_MODE
run right
unset DEJA_MODE
mv "$scratch/batch/out" "$scratch/right"
rm -rf "$scratch/batch/.deja"
[ "$status" = 0 ] || fault "the batch fails without a cache: $(cat "$scratch/right.err")"

ordinary() {
    if [ "$(id -u)" = 0 ]; then
        if ! setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
            echo "skipped: no setpriv"
            exit 77
        fi
        as="setpriv --reuid 65534 --regid 65534 --clear-groups"
        if ! $as test -x "$deja"; then
            echo "skipped: an ordinary user cannot reach $deja"
            exit 77
        fi
        chmod 711 "$scratch"
        chown -R 65534:65534 "$scratch/batch"
        chmod 777 "$scratch"/tmp
        mkdir "$scratch/home"
        chown 65534 "$scratch/home"
        HOME=$scratch/home
        export HOME
        for name in before trouble reading after again; do
            : >"$scratch/$name.ran"
            chmod 666 "$scratch/$name.ran"
        done
    fi
}

# patch OFFSET BYTES: overwrites bytes of the database (in octal, for printf), whose WAL is out of the way.
patch() {
    printf "$2" | dd of="$scratch/cache/db" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

case $case in
full-disk) # room for the database and a few of the results
    mounted=$scratch/cache
    mount -t tmpfs -o size=1500k,mode=700 tmpfs "$mounted"
    run trouble
    expect trouble 3 'space'
    names_the_cache trouble
    ran trouble 12
    mount -o remount,size=50m "$mounted"
    all_is_well
    ;;
full-from-the-start)
    mounted=$scratch/cache
    mount -t tmpfs -o size=4k,mode=700 tmpfs "$mounted"
    run trouble
    expect trouble 3 'space'
    names_the_cache trouble
    mount -o remount,size=50m "$mounted"
    all_is_well
    ;;
full-batch) # the folder of the batch has no room for records; the jobs write elsewhere
    mounted=$scratch/batch
    cp "$mounted/deja.yaml" "$scratch/deja.yaml"
    mount -t tmpfs -o size=8k,mode=700 tmpfs "$mounted"
    sed "s|out/|$scratch/out/|" "$scratch/deja.yaml" >"$mounted/deja.yaml"
    head -c 100000 /dev/zero >"$mounted/filler" 2>/dev/null || true
    run trouble
    [ "$status" = 0 ] || [ "$status" = 3 ] || fault "$case: exit status $status: $(cat "$scratch/trouble.err")"
    cmp -s "$scratch/right.out" "$scratch/trouble.out" || fault "$case: another standard output"
    diff -r "$scratch/right" "$scratch/out" >/dev/null || fault "$case: other outputs"
    grep -q "'.*/runs/.*space" "$scratch/trouble.err" || fault "$case: it says nothing of the disk: $(cat "$scratch/trouble.err")"
    [ "$(wc -l <"$scratch/trouble.err")" -le 4 ] || fault "$case: it says too much: $(cat "$scratch/trouble.err")"
    ;;
read-only)
    run before
    expect before 0 ''
    mounted=$scratch/cache
    mount --bind "$mounted" "$mounted"
    mount -o remount,ro,bind "$mounted"
    run trouble
    expect trouble 3 'read-only'
    ran trouble 12
    reading_answers
    umount "$mounted"
    mounted=
    run again
    expect again 0 ''
    ran again 0
    ;;
other-user)
    if [ "$(id -u)" != 0 ]; then
        echo "skipped: only root can give a folder away"
        exit 77
    fi
    chown 12345 "$scratch/cache"
    run trouble
    expect trouble 3 'belongs to user 12345'
    chown 0 "$scratch/cache"
    all_is_well
    ;;
unwritable)
    ordinary
    [ -z "$as" ] || chown 65534 "$scratch/cache"
    run before
    expect before 0 ''
    chmod 500 "$scratch/cache"
    chmod 400 "$scratch/cache/db" "$scratch"/cache/db-*
    run trouble
    expect trouble 3 'chmod u+rwx'
    ran trouble 12
    reading_answers
    chmod 600 "$scratch/cache/db" "$scratch"/cache/db-*
    chmod 700 "$scratch/cache"
    all_is_well
    ;;
writable-by-others)
    chmod 777 "$scratch/cache"
    run trouble
    expect trouble 3 'chmod go-w'
    chmod 700 "$scratch/cache"
    all_is_well
    ;;
no-folder)
    rmdir "$scratch/cache"
    echo 'a file' >"$scratch/cache"
    run trouble
    expect trouble 3 'not a folder'
    rm "$scratch/cache"
    all_is_well
    ;;
damaged) # its beginning, a page in the middle, its length
    for damage in header page length; do
        rm -rf "$scratch/cache" "$scratch/batch/.deja"
        run before
        expect before 0 ''
        rm -f "$scratch/cache/db-wal" "$scratch/cache/db-shm"
        case $damage in
        header) patch 0 'this is no database at all' ;;
        page) patch 8192 '\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377' ;;
        length) dd of="$scratch/cache/db" bs=1 count=0 seek=5000 2>/dev/null </dev/null ;;
        esac
        run trouble
        expect trouble 0 'damaged'
        all_is_well
    done
    ;;
newer) # SQLite file format, 1.3: the user version is at offset 60
    run before
    expect before 0 ''
    rm -f "$scratch/cache/db-wal" "$scratch/cache/db-shm"
    cp "$scratch/cache/db" "$scratch/db"
    patch 60 '\000\000\003\347'
    cp "$scratch/cache/db" "$scratch/newer"
    run trouble
    expect trouble 3 'newer'
    ran trouble 12
    cmp "$scratch/newer" "$scratch/cache/db" || fault "$case: the newer database was changed"
    cp "$scratch/db" "$scratch/cache/db"
    all_is_well
    ;;
*)
    echo "no case '$case'"
    exit 2
    ;;
esac
finish
