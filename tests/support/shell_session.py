"""An interactive shell in a terminal of its own, which types, presses Tab, and says what its line is then."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

_PATIENCE_S = 60.0
_SHOW, _CLEAR = "\x07", "\x15"

_SETUP = {
    "bash": """
PS1='ready> '
bind 'set enable-bracketed-paste off'
show() { printf '\\nLINE<%s>\\n' "$READLINE_LINE"; }
bind -x '"\\C-g": show'
source <(imgctl completion bash)
""",
    "zsh": """
PS1='ready> ' ; unsetopt PROMPT_SP ZLE_BRACKETED_PASTE
unset zle_bracketed_paste
autoload -Uz compinit && compinit -u -D
show() { print -r -- $'\\n'"LINE<$BUFFER>" }
zle -N show ; bindkey '^G' show
source <(imgctl completion zsh)
""",
    "fish": """
function fish_prompt; printf 'ready> '; end
function fish_greeting; end
function show; printf '\\nLINE<%s>\\n' (commandline); end
bind \\cg show
imgctl completion fish | source
""",
}
_COMMAND = {
    "bash": ["bash", "--noprofile", "--rcfile"],
    "zsh": ["zsh", "-i"],
    "fish": ["fish", "--init-command"],
}


class ShellSession:
    """`shell` in `home`, where `imgctl` is this checkout's and asks `socket`."""

    def __init__(self, shell: str, home: Path, socket: Path) -> None:
        programs = home / "bin"
        programs.mkdir()
        imgctl = programs / "imgctl"
        imgctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imgd.cli.imgctl "$@"\n')
        imgctl.chmod(0o755)
        setup = home / (".zshrc" if shell == "zsh" else "setup")
        setup.write_text(_SETUP[shell])
        command = [*_COMMAND[shell], *([str(setup)] if shell == "bash" else [])]
        command += [f"source {setup}"] if shell == "fish" else []
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "ZDOTDIR": str(home),
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "COLUMNS": "200",
            "LINES": "50",
            "IMGD_SOCKET": str(socket),
        }
        self._terminal, theirs = pty.openpty()
        self._process = subprocess.Popen(
            # A terminal that is its own, as a shell with jobs wants it.
            ["setsid", "--ctty", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=home,
        )
        os.close(theirs)
        self._seen = ""
        self._wait_for("ready> ")

    @staticmethod
    def is_there(shell: str) -> bool:
        return shutil.which(shell) is not None

    def completed(self, typed: str) -> str:
        """The line after `typed` and Tab; it is cleared again."""
        self._seen = ""
        os.write(self._terminal, f"{typed}\t".encode())
        os.write(self._terminal, _SHOW.encode())
        line = self._wait_for(r"LINE<(.*?)>\r?\n")
        os.write(self._terminal, _CLEAR.encode())
        return line

    def close(self) -> None:
        os.close(self._terminal)  # a hangup ends an interactive shell
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _wait_for(self, pattern: str) -> str:
        """The first group (or all) of what matches; what came before it is forgotten."""
        deadline = time.monotonic() + _PATIENCE_S
        while not (found := re.search(pattern, self._seen, re.DOTALL)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self._seen!r}"
            if select.select([self._terminal], [], [], left)[0]:
                self._seen += os.read(self._terminal, 65536).decode("utf-8", "replace")
        self._seen = self._seen[found.end() :]
        return found[found.re.groups]
