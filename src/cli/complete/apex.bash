# Completion of apex for bash: what can be typed next, as apex itself knows it.

_apex() {
    local line=${COMP_LINE:0:COMP_POINT} before word kind current cut="" i
    local -a words=()
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
        fi
    done
    current=${words[${#words[@]}-1]}
    # Of the current word only what follows the last such sign is replaced.
    for ((i = ${#current}; i > 0; i--)); do
        if [[ $COMP_WORDBREAKS == *"${current:i-1:1}"* ]]; then
            cut=${current:0:i}
            break
        fi
    done
    while IFS= read -r word; do
        if [[ -z $kind ]]; then
            kind=$word
            continue
        fi
        word=${word#"$cut"}
        # A list is only looked at; a word that is put there has to mean itself.
        if [[ $COMP_TYPE == 9 || $COMP_TYPE == 37 ]] && [[ $word == *[!A-Za-z0-9_@%+=:,./-]* ]]; then
            printf -v word %q "$word"
        fi
        COMPREPLY+=("$word")
    done < <(command apex __complete bash "$COMP_TYPE" -- "${words[@]}" 2>/dev/null)
    if [[ $kind == command ]]; then
        for ((i = 1; i < COMP_CWORD; i++)); do
            [[ ${COMP_WORDS[i]} == -- ]] && break
        done
        if ((i < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
            _command_offset $((i + 1))
            return
        fi
        local -a sorts=(-A file)
        ((i + 1 == COMP_CWORD)) && sorts+=(-A command)
        while IFS= read -r word; do
            COMPREPLY+=("$word")
        done < <(compgen "${sorts[@]}" -- "$2")
        compopt -o filenames 2>/dev/null
    elif ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -o nosort -F _apex apex 2>/dev/null || complete -F _apex apex
