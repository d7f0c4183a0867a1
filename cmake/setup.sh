# What deja needs from the system, and how to get it: sourced by tests/run and examples/quickstart. POSIX sh, as a bare
# machine has no other shell for sure. Callers use
#     setup_install KIND...     tries what is there and installs the rest, or prints the one line that would and exits 2
#     setup_packages KIND...    prints that line
#     setup_build PRESET [cmake arguments]     configures and builds build/PRESET, or only $setup_target of it
# KIND: `build` for the program, `tests` for its tests, `extra` for tests that are skipped without it.
# DEJA_OS_RELEASE names another file than /etc/os-release, so that a test can choose the system.

setup_cmake_least=3.24
setup_target=

# One row for each need, one column for each system; "," joins packages, "-" is none. A need that ends in .h is a header;
# the others are probed by setup_have.
setup_table() {
    cat <<'TABLE'
kind  need         debian          ubuntu          fedora             arch               alpine
build compiler     gcc,libc6-dev   gcc,libc6-dev   gcc,glibc-devel    gcc                gcc,musl-dev
build linux/fs.h   linux-libc-dev  linux-libc-dev  kernel-headers     linux-api-headers  linux-headers
build cmake        cmake           cmake           cmake              cmake              cmake
build make         make            make            make               make               make
build bash         bash            bash            bash               bash               bash
build sqlite3.h    libsqlite3-dev  libsqlite3-dev  sqlite-devel       sqlite             sqlite-dev
build xxhash.h     libxxhash-dev   libxxhash-dev   xxhash-devel       xxhash             xxhash-dev
build yaml.h       libyaml-dev     libyaml-dev     libyaml-devel      libyaml            yaml-dev
build zstd.h       libzstd-dev     libzstd-dev     libzstd-devel      zstd               zstd-dev
tests cmocka.h     libcmocka-dev   libcmocka-dev   libcmocka-devel    cmocka             cmocka-dev
tests nm           binutils        binutils        binutils           binutils           binutils
extra sanitizers   -               -               libasan,libubsan,libtsan  -           -
extra c++          g++             g++             gcc-c++            gcc                g++
extra clang        clang           clang           clang              clang              clang
extra pkg-config   pkg-config      pkg-config      pkgconf-pkg-config pkgconf            pkgconf
extra python3      python3         python3         python3            python             python3
extra numpy        python3-numpy   python3-numpy   python3-numpy      python-numpy       py3-numpy
extra luajit       luajit          luajit          luajit             luajit             luajit
extra clang-format clang-format    clang-format    clang-tools-extra  clang              clang-extra-tools
TABLE
}

setup_say() {
    printf '%s\n' "$*" >&2
}

# The value of one field of os-release, read as text: the file is not executed.
setup_os_field() {
    sed -n "s/^$1=//p" "${DEJA_OS_RELEASE:-/etc/os-release}" 2>/dev/null | sed -n 1p | tr -d "\"'"
}

# debian, ubuntu, fedora, arch or alpine; a derivative is what it says it is like. Fails for others.
setup_system() {
    for setup_id in $(setup_os_field ID) $(setup_os_field ID_LIKE); do
        case $setup_id in
        debian | ubuntu | fedora | arch | alpine)
            printf '%s\n' "$setup_id"
            return 0
            ;;
        rhel | centos)
            printf 'fedora\n'
            return 0
            ;;
        esac
    done
    return 1
}

# The rows of the kinds, only those of the needs given by setup_needs unless it is empty: packages of SYSTEM, in one line.
setup_names() {
    setup_table | awk -v system_name="$1" -v kinds=" $2 " -v needs=" $3 " '
        NR == 1 { for (i = 3; i <= NF; i++) if ($i == system_name) column = i; next }
        index(kinds, " " $1 " ") && (needs == "  " || index(needs, " " $2 " ")) && $column != "-" {
            n = split($column, parts, ",")
            for (i = 1; i <= n; i++)
                if (!seen[parts[i]]++)
                    line = line (line == "" ? "" : " ") parts[i]
        }
        END { print line }'
}

setup_installer() {
    case $1 in
    debian | ubuntu) printf 'apt-get install -y --no-install-recommends' ;;
    fedora) printf 'dnf install -y --setopt=install_weak_deps=False' ;;
    arch) printf 'pacman -Sy --noconfirm --needed' ;;
    alpine) printf 'apk add --no-cache' ;;
    esac
}

# setup_line SYSTEM KINDS NEEDS: the command that installs, to be shown or run.
setup_line() {
    setup_update=
    case $1 in
    debian | ubuntu) setup_update='apt-get update && ' ;;
    esac
    printf '%s%s %s\n' "$setup_update" "$(setup_installer "$1")" "$(setup_names "$1" "$2" "$3")"
}

setup_unknown_system() {
    setup_say "this system ($(setup_os_field ID) $(setup_os_field VERSION_ID)) is none whose package names are known here;" \
        "install by hand: $(setup_table | awk -v kinds=" $1 " 'NR > 1 && index(kinds, " " $1 " ") { print $2 }' | tr '\n' ' ')"
    exit 2
}

setup_packages() {
    setup_os=$(setup_system) || setup_unknown_system "$*"
    setup_line "$setup_os" "$*" ''
}

# A version like 3.25.1 that is not below the least one.
setup_is_recent() {
    printf '%s\n' "$1" | awk -F. -v least="$2" '
        { split(least, l, "."); exit !($1 > l[1] || ($1 == l[1] && $2 + 0 >= l[2] + 0)) }'
}

# setup_compiles "FLAGS" [run] <program: does it compile and link, and does the program end well?
setup_compiles() {
    setup_scratch=$(mktemp -d) || return 1
    setup_status=1
    # shellcheck disable=SC2086 # flags are words
    if ${CC:-cc} -x c - $1 -o "$setup_scratch/program" >/dev/null 2>&1; then
        if [ -z "${2-}" ] || "$setup_scratch/program" >/dev/null 2>&1; then
            setup_status=0
        fi
    fi
    rm -rf "$setup_scratch"
    return $setup_status
}

setup_have() {
    case $1 in
    *.h) printf '#include <%s>\n' "$1" | ${CC:-cc} -E -x c - >/dev/null 2>&1 ;;
    compiler) printf '#include <stdio.h>\nint main(void) { return puts("") < 0; }\n' | setup_compiles '' ;;
    sanitizers) printf 'int main(void) { return 0; }\n' | setup_compiles '-fsanitize=address,undefined' &&
        printf 'int main(void) { return 0; }\n' | setup_compiles '-fsanitize=thread' ;;
    cmake) command -v cmake >/dev/null 2>&1 &&
        setup_is_recent "$(cmake --version | sed -n 's/^cmake version //p')" "$setup_cmake_least" ;;
    make) command -v make >/dev/null 2>&1 || command -v ninja >/dev/null 2>&1 ;;
    numpy) setup_python numpy >/dev/null ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# setup_python MODULE: a python3 that has it. What stands first in PATH need not be the one that packages install into.
setup_python() {
    for setup_candidate in python3 /usr/bin/python3; do
        if "$setup_candidate" -c "import $1" >/dev/null 2>&1; then
            printf '%s\n' "$setup_candidate"
            return 0
        fi
    done
    return 1
}

# setup_runs FLAGS: does a program built with the flags run here? An older ThreadSanitizer does not on a kernel that spreads
# its mappings far (vm.mmap_rnd_bits of 32).
setup_runs() {
    printf 'int main(void) { return 0; }\n' | setup_compiles "$1" run
}

setup_missing() {
    for setup_need in $(setup_table | awk -v kinds=" $* " 'NR > 1 && index(kinds, " " $1 " ") { print $2 }'); do
        setup_have "$setup_need" || printf '%s ' "$setup_need"
    done
}

# The prefix with which this user may install: nothing for root, sudo where it asks for no password. Fails for others.
setup_right() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null && printf 'sudo '
}

# Runs `LINE`, silent unless it fails.
setup_run() {
    setup_log=$(mktemp) || exit 2
    if DEBIAN_FRONTEND=noninteractive sh -c "$1" >"$setup_log" 2>&1 </dev/null; then
        rm -f "$setup_log"
        return 0
    fi
    cat "$setup_log" >&2
    rm -f "$setup_log"
    setup_say "this failed: $1"
    exit 2
}

setup_install() {
    setup_lack=$(setup_missing "$@")
    [ -z "$setup_lack" ] && return 0
    setup_os=$(setup_system) || setup_unknown_system "$*"
    setup_command=$(setup_line "$setup_os" "$*" "$setup_lack")
    if ! setup_prefix=$(setup_right); then
        setup_say "missing: $setup_lack" "- install it with"
        setup_say "    sudo sh -c '$setup_command'"
        exit 2
    fi
    setup_say "installing what is missing: $setup_lack"
    if [ "$setup_prefix" ]; then
        setup_command="sudo -n env DEBIAN_FRONTEND=noninteractive sh -c '$setup_command'"
    fi
    setup_run "$setup_command"
    setup_lack=$(setup_missing "$@")
    [ -z "$setup_lack" ] && return 0
    setup_say "still missing after the installation: $setup_lack" \
        "(deja needs cmake $setup_cmake_least or newer: Debian 12, Ubuntu 24.04 and later have it;" \
        "this is $(setup_os_field ID) $(setup_os_field VERSION_ID))"
    exit 2
}

setup_processors() {
    nproc 2>/dev/null || printf '2\n'
}

# Ninja where it is there, but a folder that was configured once keeps its generator.
setup_build() {
    setup_preset=$1
    shift
    if [ ! -f "build/$setup_preset/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
        set -- -G Ninja "$@"
    fi
    setup_log=$(mktemp) || exit 2
    if cmake --preset "$setup_preset" "$@" >"$setup_log" 2>&1 &&
        cmake --build --preset "$setup_preset" -j "$(setup_processors)" ${setup_target:+--target "$setup_target"} \
            >>"$setup_log" 2>&1; then
        rm -f "$setup_log"
        return 0
    fi
    cat "$setup_log" >&2
    rm -f "$setup_log"
    setup_say "the build of '$setup_preset' failed"
    return 1
}
