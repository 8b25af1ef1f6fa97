# Completion of apex for bash: what can be typed next, as apex itself knows it.

_apex() {
    local line=${COMP_LINE:0:COMP_POINT} before word kind current cut="" breaks=$COMP_WORDBREAKS quoted="" i at
    local -a words=() begins=()
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
    current=${words[${#words[@]}-1]}
    # Of the current word only what follows the last such sign is replaced, or its quote.
    [[ $current == *[\"\']* ]] && quoted=1 breaks=\"\'
    for ((i = ${#current}; i > 0; i--)); do
        if [[ $breaks == *"${current:i-1:1}"* ]] && { ((i == 1)) || [[ ${current:i-2:1} != \\ ]]; }; then
            cut=${current:0:i}
            break
        fi
    done
    # As they are meant, and not as they are typed.
    cut=${cut//[\\\"\']/}
    for ((i = 0; i < ${#words[@]}; i++)); do
        words[i]=${words[i]//[\\\"\']/}
    done
    while IFS= read -r word; do
        if [[ -z $kind ]]; then
            kind=$word
            continue
        fi
        word=${word#"$cut"}
        # A list is only looked at; a word that is put there has to mean itself.
        if [[ -z $quoted && ( $COMP_TYPE == 9 || $COMP_TYPE == 37 ) ]] && [[ $word == *[!A-Za-z0-9_@%+=:,./-]* ]]; then
            printf -v word %q "$word"
        fi
        COMPREPLY+=("$word")
    done < <(command apex __complete bash "$COMP_TYPE" -- "${words[@]}" 2>/dev/null)
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
