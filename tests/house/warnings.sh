#!/bin/sh
# warnings.sh COMPILER BUILD: each source of ours compiles without a warning with this other compiler, with the flags of
# BUILD/compile_commands.json. Status 77: skipped.
set -eu
compiler=$1
if ! command -v "$compiler" >/dev/null 2>&1; then
    echo "skipped: no $compiler"
    [ "${CI-}" ] && exit 1
    exit 77
fi
log=$(mktemp)
trap 'rm -f "$log" "$log.commands" "$log.s"' EXIT
sed -n 's/^ *"command": "[^ ]* \(.*\)",$/\1/p' "$2/compile_commands.json" |
    sed 's/\\"/"/g; s/\\\\/\\/g; s/ -o [^ ]*//; s/ -c / /' >"$log.commands"
case ${compiler##*/} in
clang*) mode='-Wno-unused-command-line-argument -fsyntax-only' ;;
*) mode="-S -o $log.s" ;; # without code gcc does not see all that it warns of
esac
faults=0
while read -r arguments; do
    eval "$compiler $mode -Werror $arguments" >"$log" 2>&1 && continue
    cat "$log"
    faults=$((faults + 1))
done <"$log.commands"
exit $((faults > 0))
