# Completion of apex for bash: what can be typed next, as apex itself knows it.

_apex() {
    local line=${COMP_LINE:0:COMP_POINT} before word kind="" help i at meant kept quote expands
    local -a words=() begins=() helps=()
    COMPREPLY=()
    # Bash breaks words at signs such as `=`; what stands together belongs together.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        before=$line
        line=${line#"${line%%[![:space:]]*}"}
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then
            word=$line
        else
            line=${line#"$word"}
        fi
        if ((i > 0)) && [[ $before == "$line" || $before == "$word$line" ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
            begins+=("$i")
        fi
    done
    for ((i = 0; i < ${#words[@]}; i++)); do
        _apex_read "${words[i]}"
        words[i]=$meant
    done
    while IFS=$'\t' read -r word help; do
        if [[ -z $kind ]]; then
            kind=$word
        elif [[ -z $expands && $word == "$kept"* ]]; then
            COMPREPLY+=("${word#"$kept"}")
            helps+=("$help")
        fi
    done < <(command apex __complete bash "${COMP_TYPE-}" -- "${words[@]}" 2>/dev/null)
    ((${#COMPREPLY[@]})) && _apex_lay_out
    case $kind in
        command\ *)
            at=${begins[${kind#command }]}
            if ((at < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
                _command_offset "$at"
                return
            fi
            if ((at == COMP_CWORD)); then
                while IFS= read -r word; do
                    COMPREPLY+=("$word")
                done < <(compgen -A command -- "$2")
            fi
            _apex_paths file "$2" ""
            ;;
        files*) _apex_paths file "$2" "${kind#* }" ;;
        directories*) _apex_paths directory "$2" "${kind#* }" ;;
        *)
            if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/] ]]; then
                compopt -o nospace 2>/dev/null
            fi
            ;;
    esac
}

# Reads a word as the shell would, and runs nothing of it: sets what it is `meant` to be, how much of that is `kept` before what readline replaces,
# the `quote` that is open at its end, and whether the shell `expands` something in it.
_apex_read() {
    local word=$1 sign rest outside="" i
    meant="" kept="" quote="" expands=""
    for ((i = 0; i < ${#word}; i++)); do
        sign=${word:i:1} rest=${word:i}
        case $quote$sign in
            \\)
                meant+=${rest:1:1}
                i=$((i + 1))
                ;;
            \"\\)
                # Within these quotes it is a sign of its own before any other.
                [[ ${rest:1:1} == [\"\\\$\`] ]] || meant+=$sign
                meant+=${rest:1:1}
                i=$((i + 1))
                ;;
            \" | \')
                quote=$sign outside=$kept kept=$meant
                ;;
            \"\" | \'\')
                quote="" kept=$outside
                ;;
            \$ | \"\$)
                if [[ $rest == '$HOME' || $rest == '$HOME'[!A-Za-z0-9_]* ]]; then
                    meant+=${HOME-} expands=1 i=$((i + 4))
                elif [[ $rest == '${HOME}'* ]]; then
                    meant+=${HOME-} expands=1 i=$((i + 6))
                else
                    meant+=$sign
                    [[ ${rest:1:1} == [A-Za-z0-9_{\(\'\"?!@*#$-] ]] && expands=1
                fi
                ;;
            \` | \"\`)
                meant+=$sign expands=1
                ;;
            *)
                if [[ $i$sign == "0~" ]]; then
                    expands=1
                    [[ $rest == "~" || $rest == "~/"* ]] && sign=${HOME-}
                fi
                meant+=$sign
                [[ -z $quote && $COMP_WORDBREAKS == *"$sign"* ]] && kept=$meant
                ;;
        esac
    done
}

# Sets `meant` to that by which a word means itself where `$2`, if anything, is the quote that is open.
_apex_quote() {
    local word=$1 sign i
    meant=""
    for ((i = 0; i < ${#word}; i++)); do
        sign=${word:i:1}
        case $2$sign in
            [[:alnum:]_@%+=:,./-]) meant+=$sign ;;
            \'\') meant+="'\\''" ;;
            # No backslash would hide it from the history here: it stands outside of the quotes.
            \"!) meant+='"\!"' ;;
            \"[\"\\\$\`]) meant+=\\$sign ;;
            [\"\']?) meant+=$sign ;;
            *) meant+=\\$sign ;;
        esac
    done
    # Readline does not put the open quote twice; it takes one at the beginning for that.
    [[ -n $2 && $meant == "$2"* ]] && meant=$2$meant
}

# Makes of the words in COMPREPLY what readline can show and put into the line. Text of whoever added a task must not be run by whoever completes it.
_apex_lay_out() {
    local type=${COMP_TYPE-} several=1 common="" widest=0 i word
    ((${#COMPREPLY[@]} == 1)) && several=""
    # All words in place of the one, its quote included.
    [[ $type == 42 ]] && quote=""
    # A list is only looked at. Else one word is put there, or of several one after the other, or what all begin with.
    if [[ -z $several || $type != 63 ]]; then
        for i in "${!COMPREPLY[@]}"; do
            _apex_quote "${COMPREPLY[i]}" "$quote"
            if [[ -z $several || $type == 37 ]] && [[ -n $quote && $meant == *"$quote" ]]; then
                # Readline closes no quote behind one.
                meant+=$quote
            fi
            COMPREPLY[i]=$meant
        done
    fi
    [[ -n $several ]] || return
    case $type in
        63) ;;
        37 | 42) return ;;
        *)
            common=${COMPREPLY[0]}
            for word in "${COMPREPLY[@]}"; do
                while [[ $word != "$common"* ]]; do
                    common=${common%?}
                done
            done
            # Half of what hides a sign would hide the next one that is typed.
            if [[ $quote != \' && ${common//\\?/} == *\\ ]]; then
                COMPREPLY+=("${common%?}")
                return
            fi
            [[ $type == 33 || $type == 64 ]] || return
            # What differs in its case alone would have its description put into the line.
            [[ $(bind -v 2>/dev/null) == *"completion-ignore-case on"* ]] && return
            ;;
    esac
    for word in "${COMPREPLY[@]}"; do
        ((${#word} > widest)) && widest=${#word}
    done
    for i in "${!COMPREPLY[@]}"; do
        [[ -n ${helps[i]} ]] || continue
        printf -v word '%*s' $((widest - ${#COMPREPLY[i]})) ""
        COMPREPLY[i]+="$word  (${helps[i]})"
    done
}

# Adds the paths that begin so, behind what may stand before them in the same word (`-C`). Where there is nothing else they are left to readline,
# which knows about quotes and `~`.
_apex_paths() {
    local path option=default before=""
    [[ $1 == directory ]] && option=dirnames
    [[ -n $3 && $2 == "$3"* ]] && before=$3
    if [[ -z $before ]] && ((${#COMPREPLY[@]} == 0)) && compopt -o "$option" 2>/dev/null; then
        return
    fi
    while IFS= read -r path; do
        [[ -n $before && -d $path ]] && path+=/
        COMPREPLY+=("$before$path")
    done < <(compgen -A "$1" -- "${2#"$before"}")
    compopt -o filenames 2>/dev/null
    if [[ -n $before ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -o nosort -F _apex apex 2>/dev/null || complete -F _apex apex
