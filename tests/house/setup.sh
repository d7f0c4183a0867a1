#!/bin/sh
# setup.sh ROOT: the choice of package names by os-release, with faked files, and what happens to a user who may not install.
set -eu
root=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# expect WHAT WORDS...: the line printed for $scratch/os-release has all the words, whole.
expect() {
    what=$1
    shift
    if ! line=$(DEJA_OS_RELEASE=$scratch/os-release "$root/tests/run" --packages 2>&1); then
        fault "$what: refused: $line"
        return 0
    fi
    for word; do
        case " $line " in
        *" $word "*) ;;
        *) fault "$what: no '$word' in: $line" ;;
        esac
    done
}

printf 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n' >"$scratch/os-release"
expect debian apt-get update gcc cmake libsqlite3-dev libxxhash-dev libyaml-dev libzstd-dev libcmocka-dev clang-format
printf 'NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n' >"$scratch/os-release"
expect ubuntu apt-get gcc cmake libsqlite3-dev libxxhash-dev libyaml-dev libzstd-dev libcmocka-dev
printf 'NAME="Fedora Linux"\nVERSION_ID=40\nID=fedora\n' >"$scratch/os-release"
expect fedora dnf sqlite-devel xxhash-devel libyaml-devel libzstd-devel libcmocka-devel kernel-headers clang-tools-extra
printf 'NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n' >"$scratch/os-release"
expect arch pacman sqlite xxhash libyaml zstd cmocka linux-api-headers
printf 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.0\n' >"$scratch/os-release"
expect alpine apk sqlite-dev xxhash-dev yaml-dev zstd-dev cmocka-dev musl-dev linux-headers

printf "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\n" >"$scratch/os-release"
expect 'derivative of ubuntu' apt-get libsqlite3-dev
printf 'ID="rocky"\nID_LIKE="rhel centos fedora"\n' >"$scratch/os-release"
expect 'derivative of fedora' dnf sqlite-devel

printf 'ID=plan9\nVERSION_ID=4\n' >"$scratch/os-release"
status=0
line=$(DEJA_OS_RELEASE=$scratch/os-release "$root/tests/run" --packages 2>&1) || status=$?
[ "$status" = 2 ] || fault "unknown system: status $status"
case $line in
*plan9*sqlite3.h*) ;;
*) fault "unknown system: the message does not say what is needed: $line" ;;
esac

# os-release is read, not executed
printf 'ID=debian\nX=$(touch %s/executed)\ntouch %s/executed\n' "$scratch" "$scratch" >"$scratch/os-release"
expect 'hostile os-release' apt-get
[ ! -e "$scratch/executed" ] || fault "os-release was executed"

# A user without rights on a machine without a compiler: one line to copy, status 2, and nothing installed.
mkdir "$scratch/bin"
for tool in sh sed tr awk cat grep dirname mktemp rm env touch; do
    ln -s "$(command -v $tool)" "$scratch/bin/$tool"
done
printf '#!/bin/sh\necho 1000\n' >"$scratch/bin/id"
printf '#!/bin/sh\ntouch %s/installed\n' "$scratch" >"$scratch/bin/apt-get"
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/sudo"
chmod +x "$scratch/bin/id" "$scratch/bin/apt-get" "$scratch/bin/sudo"
printf 'ID=debian\nVERSION_ID="12"\n' >"$scratch/os-release"
for program in tests/run examples/quickstart; do
    status=0
    line=$(CI='' CC='' PATH=$scratch/bin DEJA_OS_RELEASE=$scratch/os-release "$root/$program" 2>&1) || status=$?
    [ "$status" = 2 ] || fault "$program without rights: status $status: $line"
    case $line in
    *"sudo sh -c 'apt-get update && apt-get install"*gcc*libsqlite3-dev*) ;;
    *) fault "$program without rights: no line to copy in: $line" ;;
    esac
done
[ ! -e "$scratch/installed" ] || fault "installed without the right to"

# With the right, the same line is run, and what is still missing afterwards is named.
printf '#!/bin/sh\necho 0\n' >"$scratch/bin/id"
status=0
line=$(CI='' CC='' PATH=$scratch/bin DEJA_OS_RELEASE=$scratch/os-release "$root/examples/quickstart" 2>&1) || status=$?
[ -e "$scratch/installed" ] || fault "root: apt-get was not called: $line"
[ "$status" = 2 ] || fault "root: status $status although nothing was installed: $line"
exit $((faults > 0))
