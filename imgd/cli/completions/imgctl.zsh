#compdef imgctl
# Completion of imgctl in zsh. In ~/.zshrc, after compinit: source <(imgctl completion zsh)

_imgctl() {
    local line value help imgctl=${${(Q)words[1]}/#\~/$HOME}
    local -a whole whole_shown begun begun_shown
    while IFS= read -r line; do
        [[ -z $line ]] && continue
        if [[ $line == $'\tfiles' ]]; then
            _files
            return
        fi
        value=${line%%$'\t'*} help=${line#*$'\t'}
        [[ -n $help ]] && help="$value  -- $help" || help=$value
        if [[ $value == *[:/=.] ]]; then
            begun+=("$value") begun_shown+=("$help")
        else
            whole+=("$value") whole_shown+=("$help")
        fi
    done < <(_IMGCTL_COMPLETE=zsh_complete $imgctl "${(@)words[2,CURRENT-1]}" "$QIPREFIX$PREFIX" 2>/dev/null)
    (( $#begun )) && compadd -U -l -V begun -S '' -d begun_shown -a begun
    (( $#whole )) && compadd -U -l -V whole -d whole_shown -a whole
    return $(( $#begun + $#whole == 0 ))
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _imgctl "$@"
else
    compdef _imgctl imgctl
fi
