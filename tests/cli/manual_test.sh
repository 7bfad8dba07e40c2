#!/bin/bash
# What golgi tells of itself to man and to shells: a page for every verb, with the options that its help has and no others, free of mistakes for groff and
# mandoc where those are installed; and the words that bash offers.
cd "$(dirname "$0")/../.." || exit 1
: "${GOLGI:=build/golgi}"
n=0
result() { # NAME STATUS [WHAT WAS SAID]
    n=$((n + 1))
    if [ "$2" = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; [ -z "${3:-}" ] || echo "$3" | head -20; fi
}
skip() { n=$((n + 1)); echo "ok $n # SKIP $1"; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

pages=$(tools/man "$GOLGI" "$tmp" 2>&1)
result 'the pages are made' $? "$pages"
[ -s "$tmp/golgi.1" ] && [ -s "$tmp/golgi-nag.1" ] && [ -s "$tmp/golgi-nag-rank.1" ] && [ "$(echo "$pages" | sort -u | wc -l)" -ge 15 ]
result 'one a verb, verbs within verbs too' $? "$pages"

bad=
while read -r verb; do
    page=$tmp/golgi-${verb// /-}.1
    # shellcheck disable=SC2086
    ! "$GOLGI" help $verb | grep -qE '(^ *\]| )$' || bad+="$verb: a line of the help ends in a blank, or is the end of a broken default "
    # shellcheck disable=SC2086
    in_help=$("$GOLGI" help $verb | grep -o '^  --[a-z0-9-]*' | tr -d ' ' | sort -u)
    in_page=$(sed -n 's/\\-/-/g; s/^\\fB\(--[a-z0-9-]*\)\\fR.*/\1/p' "$page" | sort -u)
    [ "$in_help" = "$in_page" ] || bad+="$verb: $(diff <(echo "$in_help") <(echo "$in_page")) "
    grep -q '^\.SH NAME' "$page" && grep -q '^\.SH SYNOPSIS' "$page" && grep -q '^\.SH EXIT STATUS' "$page" || bad+="$verb: sections are missing "
done < <("$GOLGI" help --verbs)
[ -z "$bad" ]
result 'a page has the options of the help, all of them and no others' $? "$bad"
bad=$(sed -n 's/\\-/-/g; s/^\.BR golgi-nag-\([a-z-]*\) (1)/\1/p' "$tmp/golgi-nag.1" | while read -r verb; do
    [ -s "$tmp/golgi-nag-$verb.1" ] || echo "$verb"
done)
[ -z "$bad" ]
result 'what a page refers to is there' $? "$bad"
! grep -l "$PWD\|/tmp/" "$tmp"/*.1
result 'nothing of this machine is in them' $?

if command -v mandoc > /dev/null; then
    said=$(mandoc -T lint -W warning "$tmp"/*.1 2>&1)
    result 'mandoc finds nothing to warn of' $? "$said"
else
    skip 'mandoc is not installed'
fi
if command -v man groff > /dev/null; then
    said=$(for p in "$tmp"/*.1; do LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z "$p" 2>&1 > /dev/null; done)
    [ -z "$said" ]
    result 'groff finds nothing to warn of' $? "$said"
    LC_ALL=C.UTF-8 MANWIDTH=90 man -E UTF-8 -l "$tmp/golgi-nag-select.1" 2> /dev/null | cat > "$tmp/text"
    grep -q -- '--fraction R' "$tmp/text" && grep -q '^ *golgi nag select --model M --target T.jsonl' "$tmp/text"
    result 'what is read can be typed: hyphens are hyphens' $?
else
    skip 'man or groff is not installed'
    skip 'man or groff is not installed'
fi

# ---- completion, as bash asks for it ----

offers() { # WORD... : what follows `golgi` on the line, the last one begun
    PATH=$(cd "$(dirname "$GOLGI")" && pwd):$PATH program=${program:-golgi} bash -c 'source packaging/golgi.bash; COMP_WORDS=("$program" "$@"); COMP_CWORD=$#; _golgi
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s " "${COMPREPLY[@]}"' - "$@"
}
check() { # NAME EXPECTED WORD...
    local name=$1 expected=$2 got
    shift 2
    got=$(offers "$@")
    [ "$got" = "$expected" ]
    result "$name" $? "golgi $*: \"$got\""
}
check 'a verb is completed' 'activations ' activ
check 'a verb of a verb' 'rank ' nag ra
check 'help is followed by verbs' 'rank ' help nag ra
check 'an option' '--max-tokens ' score --max
check 'an option that was given is not offered again' '' score --max-tokens 3 --max
check 'the values of a choice' 'f32 bf16 i8 auto ' score --dtype ''
check 'those that begin so' 'bf16 ' score --dtype b
check 'files where files go' 'LICENSE ' score --model LICEN
check 'and where more of them may follow' 'LICENSE ' score --input a.jsonl LICEN
check 'a column is no file' '' score --text-column ''
check 'a number is no file' '' score --max-tokens ''
check 'the only word that belongs to no option' 'LICENSE ' model show LICEN
ln -s "$(realpath "$GOLGI")" "$tmp/golgi"
# shellcheck disable=SC2088
program='~/golgi' HOME=$tmp check 'a program in the home folder, as it was typed' 'activations ' activ
check 'nothing after a verb that is none' '' nonsense x
[[ " $(offers nag select --) " == *' --fraction '*' --help '* ]]
result 'all options when one is begun' $?
echo "1..$n"
