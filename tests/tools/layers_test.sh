#!/bin/bash
# tools/check-layers passes this tree, and finds what it is there to find.
cd "$(dirname "$0")/../.." || exit 1
n=0
result() { # NAME COMMAND-STATUS
    n=$((n + 1))
    if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

out=$(tools/check-layers 2>&1)
result 'no file of this tree leans on a floor above its own' $?
[ -z "$out" ] || echo "$out"

planted() { # NAME FILE LINE-OF-CODE EXPECTED
    rm -rf "$tmp/tree"
    mkdir -p "$tmp/tree/systems/nag"
    cp -r include src "$tmp/tree/"
    mkdir -p "$(dirname "$tmp/tree/$2")"
    printf '/* Floor 9 is not said here */\n%s\n' "$3" > "$tmp/tree/$2"
    local out
    out=$(tools/check-layers "$tmp/tree" 2>&1)
    [ $? = 1 ] && [[ $out == *"$4"* ]]
    result "$1" $?
}
planted 'math may not include io' src/math/planted.c '#include "io/formats.h"' 'src/math/planted.c:2: floor 1 includes io/formats.h of floor 3'
planted 'text may not include its neighbour io' src/text/planted.c '#include "io/formats.h"' 'src/text/planted.c:2: floor 3 includes io/formats.h of floor 3'
planted 'the library may not include a system' src/model/planted.c '#include "systems/nag/nag.h"' \
    'src/model/planted.c:2: floor 5 includes systems/nag/nag.h of floor 6'
planted 'a public header of a floor above is seen' src/base/planted.c ' #  include <golgi/model.h>' \
    'src/base/planted.c:2: floor 0 includes golgi/model.h of floor'
planted 'a public header that does not exist is seen' src/base/planted.c '#include <golgi/none.h>' 'src/base/planted.c:2: there is no public header'
planted 'a folder outside the house is seen' src/attic/planted.c 'int x;' 'src/attic is of no floor'

rm -rf "$tmp/tree"
mkdir -p "$tmp/tree/systems"
cp -r include src "$tmp/tree/"
echo 'int x;' > "$tmp/tree/include/golgi/planted.h"
out=$(tools/check-layers "$tmp/tree")
[[ $out == *"include/golgi/planted.h:1: its first lines do not say which floor"* ]]
result 'a public header must say its floor' $?
echo "1..$n"
