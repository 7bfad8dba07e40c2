#!/bin/bash
# What the documents say can be done: every `golgi ...` in them names a verb that there is, with options that its help has; every link
# between files leads somewhere; every message that the questions quote is one that golgi says. Prints TAP.
set -uo pipefail
cd "$(dirname "$0")/../.."
golgi=${GOLGI:-build/golgi}
files=(README.md docs/*.md systems/*/README.md examples/README.md)
n=0 bad=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi; }

# ---- commands: code spans and indented lines that begin with golgi; "\" goes on on the next line ----
commands() {
    awk '{ while (/\\$/ && (getline more) > 0) { sub(/\\$/, ""); $0 = $0 more } print }' "$1" |
        grep -oE '(`|^    )golgi [a-z][^`|#]*' | sed -E 's/^(`|    )//'
}
wrong=''
for f in "${files[@]}"; do
    while IFS= read -r line; do
        read -r -a word <<< "$line"
        verb=${word[1]}
        case $verb in nag | model | bench | lm | tokenizer)
            [[ ${word[2]:-} =~ ^[a-z-]+$ ]] && verb="$verb ${word[2]}" ;;
        help | list | version | reproduce) continue ;;
        esac
        # shellcheck disable=SC2086
        if ! help=$("$golgi" help $verb 2>&1); then
            wrong+="$f: \"$line\": no verb \"$verb\""$'\n'
            continue
        fi
        for w in "${word[@]}"; do
            [[ $w =~ ^\'?(--[a-z0-9-]+) ]] || continue
            grep -q -e "  ${BASH_REMATCH[1]} " <<< "$help " || wrong+="$f: \"$line\": golgi $verb has no ${BASH_REMATCH[1]}"$'\n'
        done
    done < <(commands "$f")
done
[ -z "$wrong" ] || sed 's/^/# /' <<< "$wrong"
ok $([ -z "$wrong" ]; echo $?) 'every command in the documents exists, with its options'

# ---- links between files ----
dead=''
for f in "${files[@]}"; do
    while IFS= read -r to; do
        case $to in http*://* | '#'*) continue ;; esac
        [ -e "$(dirname "$f")/${to%%#*}" ] || dead+="$f: $to"$'\n'
    done < <(grep -oE '\]\([^) ]+\)' "$f" | sed -E 's/^\]\((.*)\)$/\1/')
done
[ -z "$dead" ] || sed 's/^/# /' <<< "$dead"
ok $([ -z "$dead" ]; echo $?) 'every link between files leads somewhere'

# ---- messages that docs/faq.md quotes: **"like ... this"**, in the words of the sources; ..., capitals and what is behind ":" stand for values ----
unsaid=''
while IFS= read -r quoted; do
    IFS='|' read -r -a part <<< "$(sed -E 's/\.\.\./|/g; s/\b[A-Z]{2,}\b/|/g; s/\b[0-9]+\b/|/g; s/: *$//' <<< "$quoted")"
    for p in "${part[@]}"; do
        p=$(sed -E 's/^[ :]+|[ :]+$//g' <<< "$p")
        [ -z "$p" ] || grep -rqF -e "$p" --include='*.c' src systems || { [[ $p == 'no column '* ]] && grep -qF "present: %s" src/io/documents.c; } ||
            unsaid+="docs/faq.md: \"$quoted\": no source says \"$p\""$'\n'
    done
done < <(grep -oE '\*\*"[^"]+"\*\*' docs/faq.md | sed -E 's/^\*\*"|"\*\*$//g')
[ -z "$unsaid" ] || sed 's/^/# /' <<< "$unsaid"
ok $([ -z "$unsaid" ]; echo $?) 'every message that the questions quote is said by golgi'
echo "1..$n"
exit $bad
