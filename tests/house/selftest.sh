#!/bin/sh
# selftest.sh ROOT: each check of the house finds a fault that is planted for it, and none in a sound tree.
set -eu
root=$1
house=$root/tests/house
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0

fault() {
    echo "$*"
    faults=$((faults + 1))
}

# A tree of few files in which all is right.
sound_tree() {
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/cache/base/include/deja" "$scratch/tree/cache/value/include/deja" "$scratch/tree/cache/include/deja" "$scratch/tree/runner/include/deja" \
        "$scratch/tree/jobs/include/deja" "$scratch/tree/jobs/cli" "$scratch/tree/tests" "$scratch/tree/examples"
    cd "$scratch/tree"
    echo 'int deja_base(void);' >cache/base/include/deja/error.h
    printf '#include <deja/error.h>\nint deja_value(void);\n' >cache/value/include/deja/value.h
    printf '#include <deja/value.h>\nint deja_cache(void);\n' >cache/include/deja/cache.h
    printf '#include <deja/value.h>\nint deja_runner(void);\n' >runner/include/deja/runner.h
    printf '#include <deja/cache.h>\n#include <deja/runner.h>\n' >jobs/include/deja/jobs.h
    echo '/* malloc( in a comment, fork( too */ const char *x = "system(";' >cache/base/alloc.c
    echo 'void *deja_p(void) { return realloc(0, 1); }' >>cache/base/alloc.c
    printf '#include <sqlite3.h>\nint r = sqlite3_step(0);\nconst char *q = "SELECT 1";\n' >cache/db.c
    printf '#include <deja/runner.h>\nint p = vfork();\n' >runner/spawn.c
    printf '#include <yaml.h>\n' >jobs/yaml.c
    echo 'int flow;' >jobs/flow.h
    printf '#include "flow.h"\n#include <deja/jobs.h>\nvoid f(void) { h->free(p); deja_free(p); my_system(1); }\n' >jobs/cli/main.c
    for folder in . cache/base cache/value cache runner jobs jobs/cli tests examples; do
        echo '`alloc.c` `db.c` `spawn.c` `yaml.c` `main.c` `x<y>.c`' >$folder/README.md
    done
}

# passes SCRIPT: the check of $scratch/tree succeeds.
passes() {
    sh "$house/$1" "$scratch/tree" >"$scratch/log" 2>&1 || fault "$1 refuses a sound tree: $(cat "$scratch/log")"
}

# finds SCRIPT WORDS: the check fails and says WORDS; then the tree is sound again.
finds() {
    if sh "$house/$1" "$scratch/tree" >"$scratch/log" 2>&1; then
        fault "$1 overlooks: $2"
    elif ! grep -q -F "$2" "$scratch/log"; then
        fault "$1 does not say '$2' but: $(cat "$scratch/log")"
    fi
    sound_tree
}

sound_tree
passes layers.sh
passes headers.sh
passes readmes.sh

echo '#include "../base/x.h"' >>cache/db.c && finds layers.sh 'include climbs'
echo '#include <deja/../deja/x.h>' >>cache/db.c && finds layers.sh 'include climbs'
echo '#include <deja/cache.h>' >>cache/base/alloc.c && finds layers.sh 'layer base may not include deja/cache.h'
echo '#include <deja/value.h>' >>cache/base/alloc.c && finds layers.sh 'layer base may not include deja/value.h'
echo '#include <deja/cache.h>' >cache/value/value.c && finds layers.sh 'layer value may not include deja/cache.h'
echo '#include <deja/cache.h>' >>runner/spawn.c && finds layers.sh 'layer runner may not include deja/cache.h'
echo '#include <deja/runner.h>' >>cache/db.c && finds layers.sh 'layer cache may not include deja/runner.h'
echo '#include <deja/jobs.h>' >>cache/db.c && finds layers.sh 'layer cache may not include deja/jobs.h'
echo '#include <deja/none.h>' >>cache/db.c && finds layers.sh 'no layer has the header deja/none.h'
echo '#include "flow.h"' >>cache/db.c && finds layers.sh 'private header of another folder: flow.h'
echo '#include <sqlite3.h>' >cache/entry.c && finds layers.sh 'sqlite3.h belongs to'
echo 'int r = sqlite3_open(0, 0);' >cache/entry.c && finds layers.sh 'sqlite3_open() may not be called'
echo 'const char *q = "SELECT * FROM t";' >cache/entry.c && finds layers.sh 'SQL has one home'
echo 'const char *q = "SELECT * FROM t";' >cache/dbx.c && finds layers.sh 'SQL has one home'
echo '#include <zstd.h>' >cache/value/dump.c && finds layers.sh 'zstd.h belongs to'
echo '#include <yaml.h>' >jobs/batch.c && finds layers.sh 'yaml.h belongs to'
for call in fork vfork clone clone3 execve execvp execl posix_spawn popen; do
    echo "int r = $call(0);" >runner/pool.c && finds layers.sh "$call() may not be called"
done
for call in malloc calloc realloc free strdup asprintf; do
    echo "void f(void) { $call (0); }" >jobs/batch.c && finds layers.sh "$call() may not be called"
done
for call in strcpy strcat sprintf vsprintf strtok atoi atol atof system signal gets; do
    echo "int r = x+$call(0);" >jobs/batch.c && finds layers.sh "$call() may not be called"
done
printf '/* a comment\n that ends */ int r = atoi("");\n' >jobs/batch.c && finds layers.sh 'jobs/batch.c:2: atoi()'
echo 'int x;' >jobs/db.c && finds layers.sh 'a second file of this name'

echo 'size_t deja_size(void);' >cache/include/deja/bare.h && finds headers.sh 'cache/include/deja/bare.h does not compile alone'
echo '#include <deja/cache.h>' >runner/include/deja/bad.h && finds headers.sh 'runner/include/deja/bad.h does not compile alone'
echo 'int deja_class(int class);' >cache/base/include/deja/word.h && command -v g++ >/dev/null 2>&1 && finds headers.sh 'as c++17'
sound_tree

rm jobs/README.md && finds readmes.sh 'jobs has no README.md'
echo 'see `gone.c`' >>cache/README.md && finds readmes.sh 'cache/README.md names gone.c'
echo 'int x;' >jobs/yaml_more.c && echo '`yaml*.c`' >>jobs/README.md && passes readmes.sh
touch cache/base/extra.c && finds readmes.sh 'does not name extra.c'

if command -v clang-format >/dev/null 2>&1; then
    cp "$root/.clang-format" .
    echo 'int   x ;' >cache/ugly.c
    status=0
    CI='' sh "$house/format.sh" . >"$scratch/log" 2>&1 || status=$?
    [ "$status" = 1 ] || [ "$status" = 77 ] || [ "$status" = 123 ] || fault "format.sh overlooks an unformatted file"
fi

cd "$scratch"
printf '[\n{\n  "command": "/usr/bin/cc -DV=\\\\\\"1\\\\\\" -Wall -o x.o -c %s/unused.c",\n}\n]\n' "$scratch" >compile_commands.json
echo 'const char *v = V; static int unused(void) { return 1; }' >unused.c
if sh "$house/warnings.sh" "${CC:-cc}" "$scratch" >log 2>&1 || ! grep -q 'unused' log; then
    fault "warnings.sh overlooks an unused function: $(cat log)"
fi
echo 'const char *v = V;' >unused.c
sh "$house/warnings.sh" "${CC:-cc}" "$scratch" >log 2>&1 || fault "warnings.sh refuses a sound file: $(cat log)"

# archive NAME CODE: libNAME.a of that code
archive() {
    echo "$2" | ${CC:-cc} -x c -c -o "$1.o" - && rm -f "lib$1.a" && ar rc "lib$1.a" "$1.o"
}
symbols() {
    sh "$house/symbols.sh" base=libbase.a value=libvalue.a cache=libcache.a runner=librunner.a jobs=libjobs.a "$@" >log 2>&1
}
archive base 'int deja_b(void) { return 1; }'
archive value 'int deja_b(void); int deja_v(void) { return deja_b(); }'
archive cache 'int deja_b(void); int deja_v(void); int deja_c(void) { return deja_b() + deja_v(); }'
archive runner 'int deja_b(void); int deja_r(void) { return deja_b(); }'
archive jobs 'int deja_c(void); int deja_r(void); int deja_j(void) { return deja_c() + deja_r(); }'
symbols || fault "symbols.sh refuses sound layers: $(cat log)"
archive runner 'int deja_c(void); int deja_r(void) { return deja_c(); }'
symbols && fault "symbols.sh overlooks runner -> cache"
grep -q 'layer runner needs deja_c' log || fault "symbols.sh says: $(cat log)"
archive runner 'int deja_r(void) { return 1; }'
archive value 'int deja_c(void); int deja_v(void) { return deja_c(); }'
symbols && fault "symbols.sh overlooks value -> cache"
archive value 'int deja_v(void) { return 1; }'
archive base 'int deja_j(void); int deja_b(void) { return deja_j(); }'
symbols && fault "symbols.sh overlooks base -> jobs"
archive base 'int deja_b(void) { return 1; }'
echo 'int leaked(void) { return 1; } int deja_fine(void) { return 1; }' | ${CC:-cc} -x c -shared -fPIC -o libshown.so -
symbols shared=libshown.so && fault "symbols.sh overlooks a leaked name"
grep -q 'shows leaked' log || fault "symbols.sh says: $(cat log)"
symbols shared=none.so && fault "symbols.sh overlooks that a library is not there"
exit $((faults > 0))
