# Completion of apex for fish: what can be typed next, as apex itself knows it.

function __apex_complete
    set -l words (commandline --cut-at-cursor --current-process --tokenize)
    set -l current (commandline --cut-at-cursor --current-token)
    set -l lines (command apex __complete fish - -- $words "$current" 2>/dev/null)
    if test "$lines[1]" = command
        set -l at (contains --index -- -- $words)
        if test -n "$at"
            __fish_complete_subcommand --fcs-skip=(math $at + 1)
        else
            __fish_complete_path "$current"
        end
        return
    end
    printf '%s\n' $lines[2..-1]
end

complete --command apex --no-files --keep-order --arguments '(__apex_complete)'
