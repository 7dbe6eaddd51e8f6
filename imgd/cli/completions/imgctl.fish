# Completion of imgctl in fish 3. Once: imgctl completion fish > ~/.config/fish/completions/imgctl.fish

function __imgctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -lx _IMGCTL_COMPLETE fish_complete
    set -l imgctl (string replace -r '^~' $HOME -- $words[1])
    set -l lines ($imgctl $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = \tfiles
        __fish_complete_path "$current"
    else if set -q lines[1]
        printf '%s\n' $lines
    end
end

complete -c imgctl -f -a '(__imgctl_complete)'
