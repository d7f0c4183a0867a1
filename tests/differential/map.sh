#!/bin/sh
# map.sh DEJA FIRST LAST: `deja map` against xargs(1) and sh(1) over random arguments full of what is trouble in shells, names
# and pipes. A fault names its seed.
set -eu

deja=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/deja-map-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cd "$work"
export HOME="$work" LC_ALL=C
unset DEJA_CACHE DEJA_MODE DEJA_TRACE DEJA_RUN DEJA_CLAIMS
xargs -0 -r true </dev/null 2>/dev/null || {
    echo "xargs knows no -0"
    exit 77
}

cat >show <<'END'
#!/bin/sh
printf '%s:' "$#"
for word; do printf '<%s>' "$word"; done
echo
END
chmod +x show

# NUL-separated: pieces glued at random, some of them empty, none too long for an argument.
generate() {
    awk -v seed="$1" 'BEGIN {
        n = split("a|b c| |  |\t|\n|*|?|[a]|$HOME|$(id)|`id`|\\|\\\\|\\n|;|&|>x|<|(|)|{|}|{}|{1}|{#}|{.}|#|!|!!|~|-|--|-n|-e|%|%s|\047|\042|${x}|" \
                  "\200\377|\303\244|.|..|/|a.b|/a.tar.gz|.x|x/|:::|::::|=|,|\r|^|\001", piece, "|")
        srand(seed)
        count = int(rand() * 40)
        for (i = 0; i < count; i++) {
            text = ""
            for (k = int(rand() * 6); k > 0; k--)
                text = text piece[1 + int(rand() * n)]
            printf "%s%c", text, 0
        }
    }'
}

# same NAME: what deja said in `got` is what is `wanted`.
same() {
    cmp -s got wanted || {
        echo "seed $seed: $1 differs:"
        diff got wanted | head -n 10
        exit 1
    }
}

for seed in $(seq "$2" "$3"); do
    generate "$seed" >items
    tr -d '\n' <items | tr '\0' '\n' | grep -v '^$' >lines || true

    xargs -0 -r -n 1 ./show one <items >wanted
    "$deja" map -q -j4 -0 ./show one <items >got
    same "one argument"
    "$deja" map -q -j3 -0 ./show one {} :::: items >got
    same "one argument of a file"
    xargs -0 -r -n 3 ./show <items >wanted
    "$deja" map -q -j4 -0 -n 3 ./show <items >got
    same "three arguments"
    "$deja" map -q -j4 -0 -n 3 './show {}' <items >got
    same "three arguments of a shell"
    xargs -0 -r -n 1 sh -c './show "x$1y" "$1" "$1" "$1$1" -- "$1" "$1z"' - <items >wanted
    "$deja" map -q -j4 -0 ./show x{}y {} {1} {}{-1} -- {} {}z <items >got
    same "replacement strings in words"
    "$deja" map -q -j4 -0 './show "x{}y" {} '"'{}'"' {}{} -- "{}" {}z' <items >got
    same "replacement strings in a shell text"
    xargs -0 -r -n 1 sh -c 'printf "%s|" "$1" | wc -c' - <items >wanted
    "$deja" map -q -j4 -0 'printf "%s|" {} | wc -c' <items >got
    same "a pipe"
    tr '\n' '\0' <lines | xargs -0 -r -n 1 ./show <items >/dev/null
    tr '\n' '\0' <lines | xargs -0 -r -n 1 ./show >wanted
    "$deja" map -q -j4 ./show <lines >got
    same "lines"
    cp items wanted
    "$deja" map -q -j2 -0 -X printf '%s\0' <items >got
    [ ! -s items ] || same "as many as fit"
    "$deja" map -q -j2 -0 -X "printf '%s\\0'" <items >got
    [ ! -s items ] || same "as many as fit into a shell text"
    cp lines wanted
    "$deja" map -q -j2 --pipe --block "$((seed % 50 + 1))" cat <lines >got
    same "blocks"
    "$deja" map -q -j2 --pipe --block 20 --remember cat <lines >got 2>/dev/null
    same "blocks that are remembered"
    "$deja" map -q -j2 --pipe --block 20 --remember cat <lines >got 2>/dev/null
    same "blocks that are answered"
done
