"""Completion of a query: by the daemon, which knows the library, else by what the language itself has."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from imgd.cli.session import Session
from imgd.errors import ImgdError
from imgd.index.spelling import fold
from imgd.search.keys import KEYS, find_key

if TYPE_CHECKING:
    from click import Context

_PATIENCE_S = 0.5
"""A person is waiting with a finger on the key."""

_FILES = 100


def complete_query(context: Context, half: str) -> list[CompletionItem[str]]:
    """`half`, one argument of the search, with its last term completed in each way there is.

    In passing it lets the daemon load what the search itself is going to need.
    """
    head, term = _last_term(half)
    key, _, value = term.partition(":")
    if find_key(key) == "like" and not value.startswith("#"):
        return [CompletionItem(f"{head}{key}:{path}") for path in _files(value)]
    return [_described(head, each) for each in _begun(term, _ask(context, term) or tuple(_known(term)))]


def _ask(context: Context, term: str) -> tuple[str, ...]:
    from imgd.control.client import ControlClient

    given = context.find_root().params
    path = Session(given.get("socket"), given.get("config")).socket_path()
    try:
        with ControlClient(path, _PATIENCE_S) as client:
            client.warm_search()
            return client.complete(term)
    except ImgdError:
        return ()


def _last_term(half: str) -> tuple[str, str]:
    """What stands before the last term, with its minus sign and parentheses, and the term."""
    start, quoted = 0, False
    for position, char in enumerate(half):
        if char == '"':
            quoted = not quoted
        elif not quoted and (char in " (" or (char == "-" and position == start)):
            start = position + 1
    return half[:start], half[start:]


def _known(term: str) -> Iterator[str]:
    """Keys, and the values of keys whose values the language names."""
    typed, colon, value = term.lower().partition(":")
    if not colon:
        yield from (f"{name}:" for name in KEYS if name.startswith(typed))
        return
    key = find_key(typed)
    if key is not None:
        yield from (f"{typed}:{each}" for each in KEYS[key].values if each.startswith(value))


def _begun(term: str, completions: tuple[str, ...]) -> Sequence[str]:
    """Of several, those that begin as it was typed: shells put what all have in common in its place, and would
    take letters away for a value that only has such a word somewhere."""
    typed = fold(term.replace('"', ""))
    begun = [each for each in completions if fold(each.replace('"', "")).startswith(typed)]
    return begun or completions[:1]


def _described(head: str, completion: str) -> CompletionItem[str]:
    key = find_key(completion.removesuffix(":")) if completion.endswith(":") else None
    return CompletionItem(head + completion, help=KEYS[key].help if key else None)


def _files(value: str) -> Iterator[str]:
    """Files that a path may go on to, folders with a slash; with a blank it stands in quotes, as in any query."""
    opened = value.startswith('"')
    folder, slash, begun = value.removeprefix('"').rpartition("/")
    try:
        entries = sorted(os.scandir(Path(folder + slash or ".").expanduser()), key=lambda entry: entry.name)
    except OSError:
        return
    fitting = [each for each in entries if each.name.startswith(begun) and not each.name.startswith(".")]
    for entry in fitting[:_FILES]:
        path = folder + slash + entry.name
        if entry.is_dir():
            yield f'"{path}/' if opened else f"{path}/"
        else:
            yield f'"{path}"' if opened or " " in path else path
