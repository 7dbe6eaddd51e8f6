"""What three shells send when they want a completion, and what they want to be sent."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

_FILES = "\tfiles"
"""Instead of completions: the shell knows best about its files."""

_GOES_ON = (":", "=", "/", ".")
"""What ends so is not the end of the word."""


@dataclass(slots=True)
class HalfWord:
    """The last word of a line that is still being typed. `text`: without its quotes; `quote`: one that is open."""

    raw: str = ""
    text: str = ""
    quote: str = ""


def split_line(line: str) -> tuple[list[str], HalfWord]:
    """A half-typed line of a POSIX shell: its finished words, and the last one (empty after a blank)."""
    words: list[str] = []
    half: HalfWord | None = None
    position = 0
    while position < len(line):
        char = line[position]
        if not (half and half.quote) and char in " \t\n":
            if half is not None:
                words.append(half.text)
            half = None
            position += 1
            continue
        half = half or HalfWord()
        taken = _take(line, position, half)
        half.raw += line[position : position + taken]
        position += taken
    return words, half or HalfWord()


def _take(line: str, position: int, half: HalfWord) -> int:
    """Add what stands at `position` to the word; how many characters that are."""
    char, following = line[position], line[position + 1 : position + 2]
    if char == "\\" and half.quote != "'":
        escapes = not half.quote or following in ("$", "`", '"', "\\")
        half.text += following if escapes else char + following
        return 1 + len(following)
    if char == half.quote:
        half.quote = ""
    elif char in ("'", '"') and not half.quote:
        half.quote = char
    else:
        half.text += char
    return 1


def quote_rest(text: str, quote: str) -> str:
    """`text` as it has to be typed where `quote` is open ("" for none)."""
    if quote == "'":
        return text.replace("'", "'\\''")
    if quote == '"':
        return re.sub(r'([$`"\\])', r"\\\1", text)
    return re.sub(r"([^\w@%+=:,./^-])", r"\\\1", text)


class _Shell(ShellComplete):
    """The shell calls imgctl with the words that it has, instead of putting them into variables as click's own
    scripts do: no quoting is lost on the way."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """As click does; the value of `--option=value` comes with its option, which is what the shell replaces."""
        items = super().get_completions(args, incomplete)
        option, sign, _ = incomplete.partition("=")
        if not (sign and option.startswith("--")):
            return items
        return [CompletionItem(f"{option}={each.value}", each.type, each.help) for each in items]

    def complete(self) -> str:
        args, incomplete = self.get_completion_args()
        items = self.get_completions(args, incomplete)
        if any(item.type != "plain" for item in items):
            return _FILES
        return "\n".join(self.format_completions([item for item in items if str(item.value).isprintable()]))

    def format_completions(self, items: list[CompletionItem[str]]) -> list[str]:
        """One line for each."""
        return [line for line in map(self.format_completion, items) if line]


class _Bash(_Shell):
    """Is given the line up to the cursor and the part of it that will be replaced, and quotes for itself."""

    name = "bash"

    def get_completion_args(self) -> tuple[list[str], str]:
        line, replaced = sys.argv[1:3]
        words, half = split_line(line)
        kept = half.raw.removesuffix(replaced)
        self._kept = split_line(kept)[1].text
        self._quote = half.quote
        return words[1:], half.text

    def format_completions(self, items: list[CompletionItem[str]]) -> list[str]:
        lines = super().format_completions(items)
        if self._quote and len(lines) == 1 and lines[0].endswith(_GOES_ON):
            lines.append(f"{lines[0]}\N{HORIZONTAL ELLIPSIS}")  # bash closes the quote after an only one
        return lines

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = str(item.value)
        if not value.lower().startswith(self._kept.lower()):
            return ""
        rest = quote_rest(value[len(self._kept) :], self._quote)
        return rest if self._quote or value.endswith(_GOES_ON) else f"{rest} "


class _Zsh(_Shell):
    """Is given every word as it was typed, and quotes what it is sent by itself."""

    name = "zsh"

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, half = (split_line(word)[1].text for word in sys.argv[1:])
        return words, half

    def format_completion(self, item: CompletionItem[str]) -> str:
        return f"{item.value}\t{item.help or ''}"


class _Fish(_Zsh):
    """As zsh; its finished words come without quotes."""

    name = "fish"

    def get_completion_args(self) -> tuple[list[str], str]:
        *words, half = sys.argv[1:]
        return words, split_line(half)[1].text


def register_shells() -> None:
    """Let click serve these shells in our way."""
    for shell in (_Bash, _Zsh, _Fish):
        add_completion_class(shell)
