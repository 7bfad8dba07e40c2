#!/bin/bash
# Completion in zsh and in fish: the real shells, each asked what it would offer.
cd "$(dirname "$0")/../.." || exit 1
: "${GOLGI:=build/golgi}"
n=0
check() { # NAME EXPECTED GOT
    n=$((n + 1))
    if [ "$2" = "$3" ]; then echo "ok $n - $1"; else printf 'not ok %d - %s\n# expected %s\n# got      %s\n' $n "$1" "$2" "$3"; fi
}
skip() { n=$((n + 1)); echo "ok $n # SKIP $1"; }
PATH=$(cd "$(dirname "$GOLGI")" && pwd):$PATH

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
ln -s "$(realpath "$GOLGI")" "$home/golgi"

if command -v fish > /dev/null; then
    offers() { HOME=$home fish -c "source packaging/golgi.fish; complete -C '$1'" | cut -f 1 | tr '\n' ' '; }
    check 'fish: a verb' 'activations ' "$(offers 'golgi activ')"
    check 'fish: a verb of a verb' 'rank ' "$(offers 'golgi nag ra')"
    check 'fish: an option' '--max-tokens ' "$(offers 'golgi score --max')"
    check 'fish: the values of a choice' 'auto bf16 f32 i8 ' "$(offers 'golgi score --dtype ')"
    check 'fish: a file' 'LICENSE ' "$(offers 'golgi score --model LICEN')"
    check 'fish: a column is no file' '' "$(offers 'golgi score --text-column ')"
    # shellcheck disable=SC2088 # as it was typed
    check 'fish: a program in the home folder' 'activations ' "$(offers '~/golgi activ' 2>&1)"
else
    skip 'fish is not installed'
fi

# zsh completes in its line editor only; its two functions that show what was found are replaced.
if command -v zsh > /dev/null; then
    offers() { # WORD... as on the line
        HOME=$home zsh -f -c '_describe() { local w; for w in ${(P)2}; do print -rn -- "${${w//\\:/@}%%:*} "; done }
                   _files() { print -n "files " }
                   words=("$@"); CURRENT=$#; source packaging/_golgi' - "$@"
    }
    check 'zsh: a verb' 'activations ' "$(offers golgi activ)"
    check 'zsh: a verb of a verb' 'rank ' "$(offers golgi nag ra)"
    check 'zsh: an option' '--max-tokens ' "$(offers golgi score --max)"
    check 'zsh: the values of a choice' 'f32 bf16 i8 auto ' "$(offers golgi score --dtype '')"
    check 'zsh: a file' 'files ' "$(offers golgi score --model x)"
    check 'zsh: a column is no file' '' "$(offers golgi score --text-column '')"
    # shellcheck disable=SC2088
    check 'zsh: a program in the home folder' 'activations ' "$(offers '~/golgi' activ)"
else
    skip 'zsh is not installed'
fi
echo "1..$n"
