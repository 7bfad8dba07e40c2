# Completion of golgi for fish. The program is asked what may follow, so this never grows old. Goes to share/fish/vendor_completions.d/golgi.fish.
function __golgi_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $before[1])
    set -e before[1]
    $program help --words $before "$current" 2>/dev/null | while read -l line
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c golgi -f -a '(__golgi_words)'
