# Completion of apex for fish: what can be typed next, as apex itself knows it.

function __apex_complete
    set -l words (commandline --cut-at-cursor --current-process --tokenize)
    # As it was typed, and as it is meant.
    set -l typed (commandline --cut-at-cursor --current-token)
    set -l current (string unescape -- "$typed"); or set current $typed
    # Of what the shell would put in place of something only the home directory, and nothing is run.
    set -l meant
    for word in $words
        for before in '' --project= -C
            for home in '$HOME' '~'
                if test "$word" = "$before$home"; or string match --quiet -- "$before$home/*" "$word"
                    set word "$before$HOME"(string sub --start (math (string length -- "$before$home") + 1) -- "$word")
                end
            end
        end
        set --append meant "$word"
    end
    set -l lines (command apex __complete fish - -- $meant "$current" 2>/dev/null)
    set -l kind (string split --max 1 ' ' -- "$lines[1]")
    switch "$kind[1]"
        case command
            # The words of fish begin with 1.
            set -l before (string escape -- $words[(math $kind[2] + 1)..-1])
            complete --do-complete (string join ' ' -- $before "$typed")
        case files directories
            set -l path (string sub --start (math (string length -- "$kind[2]") + 1) -- "$typed")
            # Of a command that nobody knows, files are completed.
            set -l paths (complete --do-complete "__apex_no_such_command $path")
            test $kind[1] = directories; and set paths (string match --regex '^[^\t]*/(?:\t.*)?$' -- $paths)
            for path in $paths
                printf '%s\n' "$kind[2]$path"
            end
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end

complete --command apex --no-files --keep-order --arguments '(__apex_complete)'
