#!/bin/sh
# format.sh ROOT: every source is formatted as .clang-format says. Versions of clang-format differ in what they make of it,
# so only the one that we use (14) counts. Status 77: skipped.
set -eu
cd "$1"
if ! command -v clang-format >/dev/null 2>&1; then
    echo "skipped: no clang-format"
    [ "${CI-}" ] && exit 1
    exit 77
fi
version=$(clang-format --version | sed 's/.*version \([0-9]*\).*/\1/')
if [ "$version" != 14 ]; then
    echo "skipped: this is clang-format $version, the sources are formatted with 14"
    exit 77
fi
find cache runner jobs tests examples -name '*.[ch]' -exec clang-format --dry-run -Werror {} +
