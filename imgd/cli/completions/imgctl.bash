# Completion of imgctl in bash 4.4 and later. In ~/.bashrc: source <(imgctl completion bash)

_imgctl_completion() {
    # Bash takes a colon for the end of a word: what it is going to replace is its second argument.
    local imgctl=${1/#\~/$HOME}
    mapfile -t COMPREPLY < <(_IMGCTL_COMPLETE=bash_complete "$imgctl" "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
    [[ -n ${COMPREPLY[0]-} ]] || COMPREPLY=()
    if [[ ${COMPREPLY[0]-} == $'\tfiles' ]]; then
        COMPREPLY=()
        compopt +o nospace -o default
    fi
}

complete -o nosort -o nospace -F _imgctl_completion imgctl
