# Completion of golgi for bash. The program is asked what may follow, so this never grows old. Goes to share/bash-completion/completions/golgi.
_golgi() {
    local line current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]/#\~\//$HOME/} # ~/bin/golgi
    COMPREPLY=()
    while IFS= read -r line; do
        if [ "$line" = :files ]; then
            compopt -o filenames 2> /dev/null
            while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("$program" help --words "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F _golgi golgi
