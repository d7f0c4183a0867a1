#!/bin/sh
# layers.sh ROOT: does a source file reach where it may not? Prints each place and fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$1"
find cache runner jobs -name '*.[ch]' | LC_ALL=C sort | xargs awk -f "$here/layers.awk"
