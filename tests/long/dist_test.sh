#!/bin/bash
# `make dist`: the same bytes each time, all that is committed, and a tree that builds and installs by itself, with make and with meson.
cd "$(dirname "$0")/../.." || exit 1
unset MAKEFLAGS MAKELEVEL
n=0
result() { # NAME STATUS [FILE WITH WHAT WAS SAID]
    n=$((n + 1))
    if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; [ -z "${3:-}" ] || tail -20 "$3" | cut -c 1-300; fi
}
if ! git rev-parse --git-dir > /dev/null 2>&1; then
    echo "ok 1 # SKIP this tree is no git repository"
    echo "1..1"
    exit
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

tarball=$(make dist 2> /dev/null | tail -1)
cp "$tarball" "$tmp/first.tar.gz"
make dist > /dev/null 2>&1
cmp "$tarball" "$tmp/first.tar.gz"
result 'packed twice, the same bytes' $?
tar -xzf "$tarball" -C "$tmp" && cd "$tmp"/golgi-*/ || exit 1
tree=$PWD
diff <(cd - > /dev/null && git ls-tree -r --name-only HEAD | sort) <(find . ! -type d | sed 's|^\./||' | sort) > "$tmp/log"
result 'all that is committed is in it, and nothing else' $? "$tmp/log"

make -j"$(nproc)" all > "$tmp/log" 2>&1
result 'it builds' $? "$tmp/log"
make install DESTDIR="$tmp/by-make" PREFIX=/usr > "$tmp/log" 2>&1 &&
    "$tmp/by-make/usr/bin/golgi" tokenize --model tests/golden/tinygguf/tiny.gguf LICENSE | grep -q '[0-9] [0-9]'
result 'what it installs works' $? "$tmp/log"
make -j"$(nproc)" build/tests/base/command_test > "$tmp/log" 2>&1 && build/tests/base/command_test >> "$tmp/log" 2>&1
result 'its tests build and run' $? "$tmp/log"

if command -v meson > /dev/null; then
    meson setup "$tmp/meson" "$tree" --prefix=/usr --libdir=lib > "$tmp/log" 2>&1 &&
        ninja -C "$tmp/meson" golgi libgolgi.a "libgolgi.so.${tree##*golgi-}" >> "$tmp/log" 2>&1
    result 'it builds with meson' $? "$tmp/log"
    DESTDIR=$tmp/by-meson meson install -C "$tmp/meson" --no-rebuild > "$tmp/log" 2>&1
    result 'and installs' $? "$tmp/log"
    diff <(cd "$tmp/by-make/usr" && find . ! -type d | sort) <(cd "$tmp/by-meson/usr" && find . ! -type d | sort) > "$tmp/log"
    result 'the same files as make' $? "$tmp/log"
    names() { nm -D --defined-only "$1/usr/lib/libgolgi.so" | awk '$2 != "A" { print $3 }' | sort; }
    diff <(names "$tmp/by-make") <(names "$tmp/by-meson") > "$tmp/log"
    result 'the same names in the shared library' $? "$tmp/log"
else
    n=$((n + 1))
    echo "ok $n # SKIP meson is not installed"
fi
echo "1..$n"
