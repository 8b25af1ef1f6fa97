# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_apex_global_optspecs
    string join \n json q/quiet v/verbose color= C/project= g/global no-start deadline= h/help V/version
end

function __fish_apex_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_apex_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_apex_using_subcommand
    set -l cmd (__fish_apex_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c apex -n "__fish_apex_needs_command" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_needs_command" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_needs_command" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_needs_command" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_needs_command" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_needs_command" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_needs_command" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_needs_command" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_needs_command" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_needs_command" -s V -l version -d 'Print version'
complete -c apex -n "__fish_apex_needs_command" -f -a "init" -d 'Makes a project of a directory'
complete -c apex -n "__fish_apex_needs_command" -f -a "run" -d 'Adds a task and follows it: its output, then its exit code'
complete -c apex -n "__fish_apex_needs_command" -f -a "status" -d 'Shows the whole project on one screen'
complete -c apex -n "__fish_apex_needs_command" -f -a "events" -d 'Prints every change of a task, a queue or a schedule, in order'
complete -c apex -n "__fish_apex_needs_command" -f -a "progress" -d 'Says how far a task is'
complete -c apex -n "__fish_apex_needs_command" -f -a "trust" -d 'Accepts a project that came from elsewhere'
complete -c apex -n "__fish_apex_needs_command" -f -a "doctor" -d 'Says what is wrong, and what to do about it'
complete -c apex -n "__fish_apex_needs_command" -f -a "version" -d 'Prints the versions of the program, the wire, the JSON and the database'
complete -c apex -n "__fish_apex_needs_command" -f -a "completions" -d 'Prints the completions of a shell'
complete -c apex -n "__fish_apex_needs_command" -f -a "add" -d 'Adds a task'
complete -c apex -n "__fish_apex_needs_command" -f -a "ls" -d 'Lists tasks'
complete -c apex -n "__fish_apex_needs_command" -f -a "logs" -d 'Prints what tasks wrote'
complete -c apex -n "__fish_apex_needs_command" -f -a "wait" -d 'Waits until tasks have ended'
complete -c apex -n "__fish_apex_needs_command" -f -a "cancel" -d 'Cancels tasks'
complete -c apex -n "__fish_apex_needs_command" -f -a "task" -d 'Adds, lists and steers tasks'
complete -c apex -n "__fish_apex_needs_command" -f -a "queue" -d 'Lists and steers queues'
complete -c apex -n "__fish_apex_needs_command" -f -a "schedule" -d 'Adds, lists and steers schedules, which add tasks by themselves'
complete -c apex -n "__fish_apex_needs_command" -f -a "daemon" -d 'Starts, stops and watches the daemon'
complete -c apex -n "__fish_apex_needs_command" -f -a "config" -d 'Shows, checks and changes the settings'
complete -c apex -n "__fish_apex_needs_command" -f -a "db" -d 'Checks, copies and saves the task store'
complete -c apex -n "__fish_apex_using_subcommand init" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand init" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand init" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand init" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand init" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand init" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand init" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand init" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand run" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand run" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand run" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand run" -s n -l name -d 'A name for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand run" -s l -l label -d 'A label for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand run" -s p -l priority -d 'Higher ones run first' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l cwd -d 'The directory to run it in, instead of the working directory' -r -F
complete -c apex -n "__fish_apex_using_subcommand run" -l env -d 'Set a variable; KEY alone takes its value over, also with --clean-env' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l env-file -d 'Set the variables in this file: a KEY=VALUE a line' -r -F
complete -c apex -n "__fish_apex_using_subcommand run" -l stdin -d 'What it reads: a file, `-` for what is read here now, or `open` for what `apex task send` gives it while it runs' -r -F
complete -c apex -n "__fish_apex_using_subcommand run" -l key -d 'While a task with this key has not ended, add nothing and answer with that task' -r
complete -c apex -n "__fish_apex_using_subcommand run" -s Q -l queue -d 'The queue to wait in for a slot, instead of `default`' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l after -d 'Run it when these tasks have succeeded; if one does not, it is skipped' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l after-any -d 'Run it when these tasks have ended, however' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l at -d 'Not before then: `17:30`, `tomorrow 9am`, `monday 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l in -d 'Not before this time has passed' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l retries -d 'Try it so many times more when it fails or times out' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l retry-delay -d 'Wait so long before the first further attempt [default: 1s]' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l retry-backoff -d 'How that grows with each failure: fixed, or exponential, which doubles it, with jitter [default: exponential]' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l retry-max-delay -d 'Never wait longer than this before a further attempt [default: 5m]' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l retry-on -d 'Try only these exit codes again' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l on-interrupt -d 'When it was interrupted or lost: stop, or rerun it [default: stop; rerun with retries]' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l timeout -d 'End an attempt that runs longer than this; `0s` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l output-limit -d 'End an attempt that writes more than this, as in `100MiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l kill-signal -d 'Ask it to end by this signal [default: TERM]' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l kill-grace -d 'Kill it when it has not ended so long after that' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l nice -d 'Let others have the processors first: its niceness, from -20 to 19' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l cpus -d 'Keep it to these processors, as in `0-3,8`' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l rlimit -d 'Limit each of its processes, as in `nofile=1024`, `as=4GiB`, `cpu=10m`, or `nofile=1024:4096` for soft and hard' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l memory -d 'End it when all of it together uses more memory than this, as in `2GiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l cpu-limit -d 'Give all of it together no more processor time than so many processors have, as in `1.5`' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l detach-after -d 'Leave it running after this time and exit with 75' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l detach-keys -d 'With --pty: the keys that leave it running, as with `apex task attach`' -r
complete -c apex -n "__fish_apex_using_subcommand run" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand run" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand run" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand run" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand run" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand run" -l clean-env -d 'Do not take the environment over'
complete -c apex -n "__fish_apex_using_subcommand run" -l pty -d 'Give it a terminal, to attach to with `apex task attach`'
complete -c apex -n "__fish_apex_using_subcommand run" -l split-output -d 'Keep standard output and standard error apart'
complete -c apex -n "__fish_apex_using_subcommand run" -l hold -d 'Keep it back until `apex task release`'
complete -c apex -n "__fish_apex_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand status" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand status" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand status" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand status" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand status" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand status" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand status" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand events" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand events" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand events" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand events" -l since -d 'Only changes after the one of this number' -r
complete -c apex -n "__fish_apex_using_subcommand events" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand events" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand events" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand events" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand events" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand events" -s f -l follow -d 'Go on with what happens, until the daemon is stopped'
complete -c apex -n "__fish_apex_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand progress" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand progress" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand progress" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand progress" -l total -d 'Of how much' -r
complete -c apex -n "__fish_apex_using_subcommand progress" -s m -l message -d 'What it is about just now, for people; an empty one takes the one before away' -r
complete -c apex -n "__fish_apex_using_subcommand progress" -l task -d 'Of this task, instead of the one it is typed in' -r
complete -c apex -n "__fish_apex_using_subcommand progress" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand progress" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand progress" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand progress" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand progress" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand progress" -l done -d 'All of it is done, however much that is'
complete -c apex -n "__fish_apex_using_subcommand progress" -l wait -d 'Stay until it, or a newer one, is stored for good'
complete -c apex -n "__fish_apex_using_subcommand progress" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand trust" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand trust" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand trust" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand trust" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand trust" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand trust" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand trust" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand trust" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand trust" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand doctor" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand doctor" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand doctor" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand doctor" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand doctor" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand doctor" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand doctor" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand doctor" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand version" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand version" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand version" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand version" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand version" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand version" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand version" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand version" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand version" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand completions" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand completions" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand completions" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand completions" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand completions" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand completions" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand completions" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand completions" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand add" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand add" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand add" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand add" -s n -l name -d 'A name for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand add" -s l -l label -d 'A label for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand add" -s p -l priority -d 'Higher ones run first' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l cwd -d 'The directory to run it in, instead of the working directory' -r -F
complete -c apex -n "__fish_apex_using_subcommand add" -l env -d 'Set a variable; KEY alone takes its value over, also with --clean-env' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l env-file -d 'Set the variables in this file: a KEY=VALUE a line' -r -F
complete -c apex -n "__fish_apex_using_subcommand add" -l stdin -d 'What it reads: a file, `-` for what is read here now, or `open` for what `apex task send` gives it while it runs' -r -F
complete -c apex -n "__fish_apex_using_subcommand add" -l key -d 'While a task with this key has not ended, add nothing and answer with that task' -r
complete -c apex -n "__fish_apex_using_subcommand add" -s Q -l queue -d 'The queue to wait in for a slot, instead of `default`' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l after -d 'Run it when these tasks have succeeded; if one does not, it is skipped' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l after-any -d 'Run it when these tasks have ended, however' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l at -d 'Not before then: `17:30`, `tomorrow 9am`, `monday 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l in -d 'Not before this time has passed' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l retries -d 'Try it so many times more when it fails or times out' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l retry-delay -d 'Wait so long before the first further attempt [default: 1s]' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l retry-backoff -d 'How that grows with each failure: fixed, or exponential, which doubles it, with jitter [default: exponential]' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l retry-max-delay -d 'Never wait longer than this before a further attempt [default: 5m]' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l retry-on -d 'Try only these exit codes again' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l on-interrupt -d 'When it was interrupted or lost: stop, or rerun it [default: stop; rerun with retries]' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l timeout -d 'End an attempt that runs longer than this; `0s` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l output-limit -d 'End an attempt that writes more than this, as in `100MiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l kill-signal -d 'Ask it to end by this signal [default: TERM]' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l kill-grace -d 'Kill it when it has not ended so long after that' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l nice -d 'Let others have the processors first: its niceness, from -20 to 19' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l cpus -d 'Keep it to these processors, as in `0-3,8`' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l rlimit -d 'Limit each of its processes, as in `nofile=1024`, `as=4GiB`, `cpu=10m`, or `nofile=1024:4096` for soft and hard' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l memory -d 'End it when all of it together uses more memory than this, as in `2GiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l cpu-limit -d 'Give all of it together no more processor time than so many processors have, as in `1.5`' -r
complete -c apex -n "__fish_apex_using_subcommand add" -l from -d 'Add the tasks in this file, a JSON object a line, all of them or none; `-` for what is read here now' -r -F
complete -c apex -n "__fish_apex_using_subcommand add" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand add" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand add" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand add" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand add" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand add" -l clean-env -d 'Do not take the environment over'
complete -c apex -n "__fish_apex_using_subcommand add" -l pty -d 'Give it a terminal, to attach to with `apex task attach`'
complete -c apex -n "__fish_apex_using_subcommand add" -l split-output -d 'Keep standard output and standard error apart'
complete -c apex -n "__fish_apex_using_subcommand add" -l hold -d 'Keep it back until `apex task release`'
complete -c apex -n "__fish_apex_using_subcommand add" -l wait -d 'Stay until it has ended, and exit with its code'
complete -c apex -n "__fish_apex_using_subcommand add" -l follow -d 'Stay until it has ended, print its output, and exit with its code'
complete -c apex -n "__fish_apex_using_subcommand add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand ls" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand ls" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand ls" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l state -d 'Only tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -s Q -l queue -d 'Only tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l schedule -d 'Only tasks of this schedule' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -s l -l label -d 'Only tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -s n -l name -d 'Only tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l limit -d 'At most so many, the newest' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l filter -d 'Only tasks for which this holds, such as `state=failed and duration>10m`; see below' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l columns -d 'Which columns, in this order; see below' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l sort -d 'In the order of a field, and with `:desc` the greatest first; see below' -r
complete -c apex -n "__fish_apex_using_subcommand ls" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand ls" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand ls" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand ls" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand ls" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand ls" -s a -l all -d 'All that have ended, too'
complete -c apex -n "__fish_apex_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand logs" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand logs" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand logs" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -s n -l lines -d 'Only the last N lines' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -l attempt -d 'Of this attempt instead of the last one' -r
complete -c apex -n "__fish_apex_using_subcommand logs" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand logs" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand logs" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand logs" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand logs" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand logs" -s f -l follow -d 'Go on until the tasks end; exit with the task\'s code, with several with 0 if all succeeded'
complete -c apex -n "__fish_apex_using_subcommand logs" -l stdout -d 'Only standard output, of a task with --split-output'
complete -c apex -n "__fish_apex_using_subcommand logs" -l stderr -d 'Only standard error, of a task with --split-output'
complete -c apex -n "__fish_apex_using_subcommand logs" -l raw -d 'Every byte as it was written, also on a terminal'
complete -c apex -n "__fish_apex_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand wait" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand wait" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand wait" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -l timeout -d 'Give up after this time, and exit with 75' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -l state -d 'Wait only until the tasks are in this state' -r
complete -c apex -n "__fish_apex_using_subcommand wait" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand wait" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand wait" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand wait" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand wait" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand cancel" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand cancel" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand cancel" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -l reason -d 'Why, for people' -r
complete -c apex -n "__fish_apex_using_subcommand cancel" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand cancel" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand cancel" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand cancel" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand cancel" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand cancel" -l wait -d 'Stay until they have ended'
complete -c apex -n "__fish_apex_using_subcommand cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "add" -d 'Adds a task'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "list" -d 'Lists tasks'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "show" -d 'Shows everything about tasks'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "logs" -d 'Prints what tasks wrote'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "wait" -d 'Waits until tasks have ended'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "cancel" -d 'Cancels tasks'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "kill" -d 'Sends a signal to all processes of tasks'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "release" -d 'Lets held tasks go'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "hold" -d 'Keeps waiting tasks back until they are released'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "pause" -d 'Stops all processes in the sessions of running tasks'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "resume" -d 'Lets the processes of paused tasks go on'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "retry" -d 'Runs tasks again that have ended'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "rm" -d 'Removes tasks that have ended, with all they wrote'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "edit" -d 'Changes what a task is to do that has not started'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "move" -d 'Puts a waiting task to another place'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "send" -d 'Gives a running task something to read'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "attach" -d 'Shows the terminal of a task here, and types what is typed here'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "prune" -d 'Removes what has ended, with all it wrote'
complete -c apex -n "__fish_apex_using_subcommand task; and not __fish_seen_subcommand_from add list show logs wait cancel kill release hold pause resume retry rm edit move send attach prune why" -f -a "why" -d 'Says what a task waits for'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s n -l name -d 'A name for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s l -l label -d 'A label for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s p -l priority -d 'Higher ones run first' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l cwd -d 'The directory to run it in, instead of the working directory' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l env -d 'Set a variable; KEY alone takes its value over, also with --clean-env' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l env-file -d 'Set the variables in this file: a KEY=VALUE a line' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l stdin -d 'What it reads: a file, `-` for what is read here now, or `open` for what `apex task send` gives it while it runs' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l key -d 'While a task with this key has not ended, add nothing and answer with that task' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s Q -l queue -d 'The queue to wait in for a slot, instead of `default`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l after -d 'Run it when these tasks have succeeded; if one does not, it is skipped' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l after-any -d 'Run it when these tasks have ended, however' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l at -d 'Not before then: `17:30`, `tomorrow 9am`, `monday 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l in -d 'Not before this time has passed' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l retries -d 'Try it so many times more when it fails or times out' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l retry-delay -d 'Wait so long before the first further attempt [default: 1s]' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l retry-backoff -d 'How that grows with each failure: fixed, or exponential, which doubles it, with jitter [default: exponential]' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l retry-max-delay -d 'Never wait longer than this before a further attempt [default: 5m]' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l retry-on -d 'Try only these exit codes again' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l on-interrupt -d 'When it was interrupted or lost: stop, or rerun it [default: stop; rerun with retries]' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l timeout -d 'End an attempt that runs longer than this; `0s` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l output-limit -d 'End an attempt that writes more than this, as in `100MiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l kill-signal -d 'Ask it to end by this signal [default: TERM]' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l kill-grace -d 'Kill it when it has not ended so long after that' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l nice -d 'Let others have the processors first: its niceness, from -20 to 19' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l cpus -d 'Keep it to these processors, as in `0-3,8`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l rlimit -d 'Limit each of its processes, as in `nofile=1024`, `as=4GiB`, `cpu=10m`, or `nofile=1024:4096` for soft and hard' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l memory -d 'End it when all of it together uses more memory than this, as in `2GiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l cpu-limit -d 'Give all of it together no more processor time than so many processors have, as in `1.5`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l from -d 'Add the tasks in this file, a JSON object a line, all of them or none; `-` for what is read here now' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l clean-env -d 'Do not take the environment over'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l pty -d 'Give it a terminal, to attach to with `apex task attach`'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l split-output -d 'Keep standard output and standard error apart'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l hold -d 'Keep it back until `apex task release`'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l wait -d 'Stay until it has ended, and exit with its code'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -l follow -d 'Stay until it has ended, print its output, and exit with its code'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l state -d 'Only tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s Q -l queue -d 'Only tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l schedule -d 'Only tasks of this schedule' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s l -l label -d 'Only tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s n -l name -d 'Only tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l limit -d 'At most so many, the newest' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l filter -d 'Only tasks for which this holds, such as `state=failed and duration>10m`; see below' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l columns -d 'Which columns, in this order; see below' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l sort -d 'In the order of a field, and with `:desc` the greatest first; see below' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s a -l all -d 'All that have ended, too'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -l show-env -d 'Print the values of its environment, too'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s n -l lines -d 'Only the last N lines' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l attempt -d 'Of this attempt instead of the last one' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until the tasks end; exit with the task\'s code, with several with 0 if all succeeded'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l stdout -d 'Only standard output, of a task with --split-output'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l stderr -d 'Only standard error, of a task with --split-output'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -l raw -d 'Every byte as it was written, also on a terminal'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l timeout -d 'Give up after this time, and exit with 75' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l state -d 'Wait only until the tasks are in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l reason -d 'Why, for people' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -l wait -d 'Stay until they have ended'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s s -l signal -d 'The signal, by name or number' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from hold" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -l failed -d 'All that failed, timed out, were lost or interrupted'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l state -d 'Tasks in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s Q -l queue -d 'Tasks of this queue' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s l -l label -d 'Tasks with this label' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l name -d 'Tasks whose name matches: `*`, `?`, `[…]`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l filter -d 'Tasks for which this holds, as in `apex task list --filter`' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l set -d 'Set this, without an editor' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l unset -d 'Take this away, without an editor' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l before -d 'In front of this one' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -l top -d 'In front of all others'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from move" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -l eof -d 'Then its input ends'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -l detach-keys -d 'What to type to leave it running' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l older-than -d 'Only what ended longer ago than this' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l keep -d 'Not the N that ended last; with --state, of those in these states' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l state -d 'Only what ended in this state' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand task; and __fish_seen_subcommand_from why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "list" -d 'Lists queues'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "add" -d 'Makes a queue'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "set" -d 'Gives a queue another number of slots'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "pause" -d 'Starts nothing of queues any more'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "resume" -d 'Lets tasks of paused queues be started again'
complete -c apex -n "__fish_apex_using_subcommand queue; and not __fish_seen_subcommand_from list add set pause resume rm" -f -a "rm" -d 'Removes queues'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -l slots -d 'How many of its tasks may run at once; 0 leaves that to the daemon\'s limit' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -l slots -d 'How many of its tasks may run at once; 0 leaves that to the daemon\'s limit' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l reason -d 'Why, for people' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l until -d 'Go on by itself then: `in 10m`, `17:30`, `tomorrow 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -l wait -d 'Stay until nothing of them runs'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand queue; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "add" -d 'Adds a schedule, which adds tasks by itself'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "list" -d 'Lists schedules'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "show" -d 'Shows everything about a schedule, with its next five times'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "run-now" -d 'Adds a task of a schedule now'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "pause" -d 'Lets schedules add nothing'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "resume" -d 'Lets paused schedules add tasks again'
complete -c apex -n "__fish_apex_using_subcommand schedule; and not __fish_seen_subcommand_from add list show run-now pause resume rm" -f -a "rm" -d 'Removes schedules'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l cron -d 'By a cron line: minute, hour, day of the month, month, day of the week; or @daily and the like' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l every -d 'Again and again after this time, at least 1s' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l at -d 'Once: `in 10m`, `17:30`, `tomorrow 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l tz -d 'The time zone whose clock counts, as `Europe/Vienna` [default: that of this machine, by its name]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l missed -d 'What becomes of times at which nobody was there: skip, once or all [default: once]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l overlap -d 'When a task of it has not ended: skip, queue or cancel-running [default: skip]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s n -l name -d 'A name for its tasks, instead of its own' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s l -l label -d 'A label for people and filters' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s Q -l queue -d 'The queue in which its tasks wait for a slot, instead of `default`' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s p -l priority -d 'Higher ones run first' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l cwd -d 'The directory to run them in, instead of the working directory' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l env -d 'Set a variable; KEY alone takes its value over, also with --clean-env' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l env-file -d 'Set the variables in this file: a KEY=VALUE a line' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l stdin -d 'What they read: a file, `-` for what is read here now, or `open` for what `apex task send` gives them while they run' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l key -d 'While a task with this key has not ended, add none' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l retries -d 'Try it so many times more when it fails or times out' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l retry-delay -d 'Wait so long before the first further attempt [default: 1s]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l retry-backoff -d 'How that grows with each failure: fixed, or exponential, which doubles it, with jitter [default: exponential]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l retry-max-delay -d 'Never wait longer than this before a further attempt [default: 5m]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l retry-on -d 'Try only these exit codes again' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l on-interrupt -d 'When it was interrupted or lost: stop, or rerun it [default: stop; rerun with retries]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l timeout -d 'End an attempt that runs longer than this; `0s` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l output-limit -d 'End an attempt that writes more than this, as in `100MiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l kill-signal -d 'Ask it to end by this signal [default: TERM]' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l kill-grace -d 'Kill it when it has not ended so long after that' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l nice -d 'Let others have the processors first: its niceness, from -20 to 19' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l cpus -d 'Keep it to these processors, as in `0-3,8`' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l rlimit -d 'Limit each of its processes, as in `nofile=1024`, `as=4GiB`, `cpu=10m`, or `nofile=1024:4096` for soft and hard' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l memory -d 'End it when all of it together uses more memory than this, as in `2GiB`; `0B` for no limit' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l cpu-limit -d 'Give all of it together no more processor time than so many processors have, as in `1.5`' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l clean-env -d 'Do not take the environment over'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -l split-output -d 'Keep standard output and standard error apart'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from run-now" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand schedule; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "start" -d 'Starts the daemon in the background'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "stop" -d 'Stops the daemon when its running tasks have ended'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "restart" -d 'Replaces the daemon by this program while running tasks go on'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "reload" -d 'Lets the daemon read its configuration again'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "status" -d 'Tells how the daemon stands'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "logs" -d 'Prints the daemon\'s own log'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "metrics" -d 'Prints what is measured, as Prometheus reads it'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "run" -d 'Runs the daemon in the foreground, for systemd and launchd'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "install" -d 'Installs the daemon of this project as a service of this user'
complete -c apex -n "__fish_apex_using_subcommand daemon; and not __fish_seen_subcommand_from start stop restart reload status logs metrics run install uninstall" -f -a "uninstall" -d 'Removes what `daemon install` wrote'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l max-concurrent -d 'How many tasks may run at once' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l poll-interval -d 'How often to look for ready tasks when nothing else happens' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l grace -d 'How long running tasks may go on' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -l force -d 'Do not wait for running tasks'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from reload" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s n -l lines -d 'Only the last N lines' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l since -d 'Only lines since then: `10m ago`, `17:30`, `yesterday 9am`, `2026-01-15T10:30:00Z`' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l level -d 'Only lines of this level and of more severe ones: error, warn, info, debug, trace' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on with what is written later, also by the next daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from metrics" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l max-concurrent -d 'How many tasks may run at once' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l poll-interval -d 'How often to look for ready tasks when nothing else happens' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l enable -d 'Start the daemon at login from now on'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -l now -d 'Start the daemon now, as this service'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand daemon; and __fish_seen_subcommand_from uninstall" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -f -a "show" -d 'Shows the settings in force'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -f -a "check" -d 'Checks the settings'
complete -c apex -n "__fish_apex_using_subcommand config; and not __fish_seen_subcommand_from show check edit" -f -a "edit" -d 'Changes the project\'s settings in an editor'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Say where each value comes from'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand config; and __fish_seen_subcommand_from edit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -s h -l help -d 'Print help'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -f -a "check" -d 'Reads the whole task store and tells whether it is sound'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -f -a "backup" -d 'Copies the task store, also while the daemon runs'
complete -c apex -n "__fish_apex_using_subcommand db; and not __fish_seen_subcommand_from check backup recover" -f -a "recover" -d 'Saves what can be read of a damaged task store'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -l color -d 'When to use colour: auto, always or never' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set; with CLICOLOR_FORCE always'
always\t'Always'
never\t'Never'"
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -s C -l project -d 'The project\'s directory; the working directory stays' -r -F
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -l deadline -d 'How long the daemon may take to answer' -r
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -l json -d 'Print JSON'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -s q -l quiet -d 'Say less; `add` prints the bare id'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -s v -l verbose -d 'Say more'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -s g -l global -d 'Use the per-user project'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -l no-start -d 'Do not start the daemon'
complete -c apex -n "__fish_apex_using_subcommand db; and __fish_seen_subcommand_from recover" -s h -l help -d 'Print help (see more with \'--help\')'
