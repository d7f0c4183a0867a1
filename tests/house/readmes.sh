#!/bin/sh
# readmes.sh ROOT: each folder has a README; the files that a README names in `backticks` exist, beside it or in the tree;
# and the README of a layer names every .c of its folder, by its name or by a pattern like `yaml*.c`.
set -eu
cd "$1"
faults=0
fault() {
    echo "$*"
    faults=$((faults + 1))
}

for folder in . cache cache/base cache/value runner jobs jobs/cli tests examples; do
    [ -f "$folder/README.md" ] || fault "$folder has no README.md"
done

files=$(mktemp)
trap 'rm -f "$files"' EXIT
find . -name build -prune -o -name .git -prune -o -type f -print >"$files"
for readme in $(sed -n 's,^\./\(.*README\.md\)$,\1,p' "$files"); do
    folder=$(dirname "$readme")
    for name in $(awk '/^[ \t]*```/ { fenced = !fenced; next } !fenced' "$readme" | tr '\n' ' ' | tr '`' '\n' |
        awk 'NR % 2 == 0' | grep -E '^[A-Za-z0-9_./-]+\.(c|h|sh|awk|cmake|map|md)$' | LC_ALL=C sort -u); do
        [ -e "$folder/$name" ] || [ -e "$name" ] || grep -q -F "/$name" "$files" ||
            fault "$readme names $name, which is nowhere"
    done
done

# is_named FILE PATTERN...
is_named() {
    wanted=$1
    shift
    for pattern; do
        # shellcheck disable=SC2254 # a pattern is meant
        case $wanted in
        $pattern) return 0 ;;
        esac
    done
    return 1
}

set -f
for folder in cache cache/base cache/value runner jobs jobs/cli; do
    [ -f "$folder/README.md" ] || continue
    patterns=$(grep -o '`[A-Za-z0-9_*]*\.c`' "$folder/README.md" | tr -d '`' || true)
    set +f
    for source in "$folder"/*.c; do
        [ -e "$source" ] || continue
        set -f
        # shellcheck disable=SC2086 # patterns are words
        is_named "${source##*/}" $patterns || fault "$folder/README.md does not name ${source##*/}"
    done
done
exit $((faults > 0))
