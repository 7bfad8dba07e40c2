#!/bin/bash
# `make install` into an empty folder, and what a stranger does with it: headers compile alone in C and in C++, the program at the head of each header
# compiles and runs as it stands, the example links both libraries through pkg-config, the shared library shows what is public and nothing else.
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MAKELEVEL
B=${GOLGI%/golgi}
if [ "$B" != build ]; then # make would build it anew, with other options
    echo "ok 1 # SKIP only what \`make\` alone builds is installed"
    echo "1..1"
    exit
fi
n=0
result() { # NAME STATUS [FILE WITH WHAT WAS SAID]
    n=$((n + 1))
    if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; [ -z "${3:-}" ] || head -20 "$3" | cut -c 1-300; fi
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root prefix=/opt/golgi-test
to=$root$prefix

make B="$B" install DESTDIR="$root" PREFIX=$prefix > "$tmp/log" 2>&1
result 'make install' $? "$tmp/log"
there=0
for f in bin/golgi lib/libgolgi.a lib/libgolgi.so include/golgi/golgi.h include/golgi/nag.h lib/pkgconfig/golgi.pc \
    share/man/man1/golgi.1 share/man/man1/golgi-nag-rank.1 share/doc/golgi/LICENSE share/bash-completion/completions/golgi share/zsh/site-functions/_golgi \
    share/fish/vendor_completions.d/golgi.fish; do
    [ -s "$to/$f" ] || { echo "# $f is missing"; there=1; }
done
result 'everything is in its place' $there

doc=$to/share/doc/golgi
for f in "$doc"/README.md "$doc"/docs/*.md; do # examples/README.md and the like are the tree's, not the reader's of an installed golgi
    grep -oE '\]\((\.\./)?(docs|systems|bench|[a-z]+\.(md|png))[^) ]*\)' "$f" | sed -E 's/^\]\(([^)#]*).*/\1/' | sort -u | while read -r link; do
        [ -e "$(dirname "$f")/$link" ] || echo "${f#"$doc"/}: $link"
    done
done > "$tmp/log"
[ -s "$doc/docs/scale.md" ] && [ ! -s "$tmp/log" ]
result 'the documents are there, and their links lead somewhere' $? "$tmp/log"

"$to/bin/golgi" version > "$tmp/log" 2>&1 && ! grep -ql "$PWD" "$to/bin/golgi" "$to"/lib/libgolgi.so.* &&
    ! { readelf -d "$to/bin/golgi"; readelf -d "$to/lib/libgolgi.so"; } | grep -i 'r.*path' | grep -qv '\[\$ORIGIN/[^:]*\]'
result 'the installed program runs, and knows nothing of the folder it was built in' $? "$tmp/log"

# ---- what is public ----

nm -D --defined-only "$to/lib/libgolgi.so" | awk '$2 ~ /[A-Z]/ && $2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u > "$tmp/exported"
for h in "$to"/include/golgi/*.h; do echo "#include <golgi/${h##*/}>"; done >> "$tmp/all.c"
cc -std=c17 -E -P -I"$to/include" "$tmp/all.c" | tr '\n' ' ' | sed 's/;/;\n/g' | grep 'visibility("default")' |
    sed 's/__attribute__((visibility("default")))//; s/__attribute__.*//' |
    sed -E 's/^([^(]*[^a-z0-9_])(gg_[a-z0-9_]+) *\(.*/\2/' | grep '^gg_' | sort -u > "$tmp/declared"
[ -s "$tmp/exported" ] && [ "$(wc -l < "$tmp/declared")" -gt 100 ] && diff "$tmp/declared" "$tmp/exported" > "$tmp/log"
result 'the shared library exports the functions of the public headers and no others' $? "$tmp/log"
! grep -v '^gg_[a-z]' "$tmp/exported" > "$tmp/log"
result 'every exported name begins with gg_' $? "$tmp/log"
# of the static library too; weak ones are the templates that Parquet's C++ brings
nm --defined-only --extern-only "$to/lib/libgolgi.a" 2> /dev/null | awk 'NF == 3 && $2 !~ /[VWu]/ { print $3 }' | sort -u > "$tmp/strong"
[ "$(wc -l < "$tmp/strong")" -gt 100 ] && ! grep -vE '^gg__?[a-z]' "$tmp/strong" > "$tmp/log"
result 'and every name that the static library defines' $? "$tmp/log"
soname=$(readelf -d "$to/lib/libgolgi.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[[ $soname == libgolgi.so.[0-9]* ]] && [ -e "$to/lib/$soname" ]
result 'the name that programs will look for is there' $?

# ---- a stranger's compiler ----

export PKG_CONFIG_PATH=$to/lib/pkgconfig
pc() { pkg-config --define-variable=prefix="$to" "$@" golgi; }
[ "$(pc --modversion)" = "$(sed -n 's/^.define GG_VERSION_TEXT "\(.*\)"/\1/p' include/golgi/base.h)" ]
result 'pkg-config knows the version' $?
read -ra flags <<< "$(pc --cflags)"
read -ra libs <<< "$(pc --libs)"
read -ra static <<< "$(pc --libs --static | sed 's/-lgolgi/-l:libgolgi.a/')"
strict=(-Wall -Wextra -pedantic -Werror)

alone() { # LANGUAGE STANDARD COMPILER
    : > "$tmp/log"
    for h in "$to"/include/golgi/*.h; do
        echo "#include <golgi/${h##*/}>" > "$tmp/one.$1"
        "$3" -std="$2" "${strict[@]}" "${flags[@]}" -fsyntax-only "$tmp/one.$1" >> "$tmp/log" 2>&1 || echo "${h##*/} does not compile alone" >> "$tmp/log"
    done
    [ ! -s "$tmp/log" ]
}
alone c c17 cc
result 'each header compiles alone in C17' $? "$tmp/log"
alone cc c++17 c++
result 'each header compiles alone in C++17' $? "$tmp/log"
cat > "$tmp/link.cc" << 'C'
#include <golgi/golgi.h>
#include <golgi/nag.h>
int main() { return gg_version()[0] == 0 || gg_nag_type_name(GG_NAG_UP)[0] == 0; }
C
c++ -std=c++17 "${strict[@]}" "${flags[@]}" -o "$tmp/link" "$tmp/link.cc" "${libs[@]}" > "$tmp/log" 2>&1 && LD_LIBRARY_PATH=$to/lib "$tmp/link"
result 'a C++ program links the library' $? "$tmp/log"

# The first block of the head comment, five columns in, up to the brace that ends main.
program_of() { awk '/^ \*\// || /^\*\// { exit } /^ \*     / { print substr($0, 8); on = 1; main = main || /^ \*     int main\(/; next }
                    on && /^ \*$/ { print ""; next } on { exit }' "$1" | awk '{ print } /^int main\(/ { main = 1 } main && /^}$/ { exit }'; }
mkdir "$tmp/run"
cp tests/golden/tinygguf/tiny.gguf "$tmp/run/model.gguf"
for i in 1 2 3 4 5; do
    echo "{\"docid\": \"d$i\", \"doc\": \"In the beginning God created the heaven and the earth, $i $i.\", \"token_num\": 20}"
done > "$tmp/run/documents.jsonl"
: > "$tmp/failed"
for h in "$to"/include/golgi/*.h; do
    name=$(basename "$h" .h)
    program_of "$h" > "$tmp/run/$name.c"
    grep -q '^int main(' "$tmp/run/$name.c" || { echo "golgi/$name.h does not begin with a program" >> "$tmp/failed"; continue; }
    cc -std=c17 "${strict[@]}" "${flags[@]}" -o "$tmp/run/$name" "$tmp/run/$name.c" "${libs[@]}" >> "$tmp/failed" 2>&1 ||
        { echo "the program of golgi/$name.h does not compile" >> "$tmp/failed"; continue; }
    (cd "$tmp/run" && LD_LIBRARY_PATH=$to/lib timeout 60 "./$name" model.gguf documents.jsonl) > "$tmp/log" 2>&1 ||
        { echo "the program of golgi/$name.h ends with status $?:"; cat "$tmp/log"; } >> "$tmp/failed"
done
[ ! -s "$tmp/failed" ]
result 'the program at the head of each header compiles and runs as it stands' $? "$tmp/failed"

cc -std=c17 "${strict[@]}" "${flags[@]}" -o "$tmp/run/shared" "$to/share/doc/golgi/examples/strongest.c" "${libs[@]}" > "$tmp/log" 2>&1 &&
    (cd "$tmp/run" && LD_LIBRARY_PATH=$to/lib ./shared model.gguf documents.jsonl up) > "$tmp/by-shared" 2>> "$tmp/log" && grep -q '^L1\.up\[' "$tmp/by-shared"
result 'the example links the shared library through pkg-config and runs' $? "$tmp/log"
cc -std=c17 "${strict[@]}" "${flags[@]}" -o "$tmp/run/static" examples/strongest.c "${static[@]}" > "$tmp/log" 2>&1 &&
    ! readelf -d "$tmp/run/static" | grep -q libgolgi &&
    (cd "$tmp/run" && ./static model.gguf documents.jsonl up) > "$tmp/by-static" 2>> "$tmp/log" && cmp "$tmp/by-shared" "$tmp/by-static" >> "$tmp/log" 2>&1
result 'and the static library, with the same result' $? "$tmp/log"
(cd "$tmp/run" && ./static model.gguf nothing.jsonl) > "$tmp/log" 2>&1
[ $? = 1 ] && grep -q 'strongest: .*nothing.jsonl' "$tmp/log"
result 'what goes wrong in it is said in words' $? "$tmp/log"

make B="$B" uninstall DESTDIR="$root" PREFIX=$prefix > "$tmp/log" 2>&1 && [ -z "$(find "$root" ! -type d)" ]
result 'make uninstall takes everything back' $? "$tmp/log"
echo "1..$n"
