#!/bin/sh
# symbols.sh base=LIB value=LIB cache=LIB runner=LIB calls=LIB jobs=LIB [shared=LIB]: what the linker would let pass. A layer's archive may
# need symbols of lower layers only, and the shared library shows only names that begin with deja_.
set -eu
for pair; do
    if ! nm "${pair#*=}" >/dev/null 2>&1; then
        echo "${pair#*=}: no library to look at"
        exit 1
    fi
done
for pair; do
    name=${pair%%=*}
    if [ "$name" = shared ]; then
        nm -D -P --defined-only "${pair#*=}" | sed 's/^/shared /'
    else
        nm -P -g "${pair#*=}" | sed "s/^/$name /"
    fi
done | awk '
    BEGIN {
        allowed["base"] = " base "
        allowed["value"] = " base value "
        allowed["cache"] = " base value cache "
        allowed["runner"] = " base value runner "
        allowed["calls"] = " base value cache runner calls "
        allowed["jobs"] = " base value cache runner calls jobs "
    }
    NF < 3 { next }
    $1 == "shared" {
        shown++
        if ($2 !~ /^deja_/ && $3 != "A") fault("the shared library shows " $2)
        next
    }
    $3 == "U" || $3 == "w" || $3 == "v" { needs[$1 " " $2] = 1; next }
    { homes[$2] = homes[$2] " " $1 " " }
    function fault(text) { print text; faults++ }
    END {
        for (pair in needs) {
            split(pair, part, " ")
            if (!(part[2] in homes)) continue
            n = split(homes[part[2]], home, " ")
            ok = 0
            for (i = 1; i <= n; i++)
                if (index(allowed[part[1]], " " home[i] " ")) ok = 1
            if (!ok) fault("layer " part[1] " needs " part[2] " of layer " homes[part[2]])
        }
        exit faults > 0
    }'
