"""Completion as shells ask for it: bash, zsh and fish themselves where they are installed; and the quoting."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell_session import ShellSession

from imgd.cli.lazy import LazyGroup
from imgd.cli.shells import quote_rest, split_line
from imgd.control.protocol import CompleteAnswer


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def shell(
    request: pytest.FixtureRequest, shared_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ShellSession]:
    """One session serves all tests: its line is cleared after each completion."""
    if not ShellSession.is_there(request.param):
        pytest.skip(f"{request.param} is not installed")
    home = tmp_path_factory.mktemp("home")
    (home / "holiday pictures").mkdir()
    (home / "a b.jpg").touch()
    with ShellSession(request.param, home, shared_server.server.path) as session:
        yield session


@pytest.fixture
def services(shared_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What answers the shell; it is as before after the test."""
    services = shared_server.services
    services.warmed.clear()
    for name in ("known", "complete"):
        monkeypatch.setattr(services, name, getattr(services, name))
    return services


def unquoted(line: str) -> list[str]:
    """The words that the shell would pass; a quote may still be open."""
    words, half = split_line(line)
    return [*words, *([half.text] if half.raw else [])]


def test_a_shell_completes_commands_options_and_files(shell):
    assert shell.completed("imgctl sea") == "imgctl search "
    assert shell.completed("imgctl search --so") == "imgctl search --sort "
    assert shell.completed("imgctl search --sort d") == "imgctl search --sort date "
    assert shell.completed("imgctl search --sort=d") == "imgctl search --sort=date "
    assert shell.completed("imgctl show a") == "imgctl show a\\ b.jpg "
    assert shell.completed("imgctl search --contact-sheet hol").endswith("holiday\\ pictures/")


def test_a_shell_completes_keys_and_the_librarys_values_over_colons(shell, services):
    assert shell.completed("imgctl search dog came") == "imgctl search dog camera:"
    assert shell.completed("imgctl search camera:s") == "imgctl search camera:sony "
    assert services.warmed.wait(120)


def test_a_shell_completes_a_family_of_keys_up_to_its_dot_and_then_goes_on(shell, services):
    services.known = ("objects.",)
    assert shell.completed("imgctl search dog obj") == "imgctl search dog objects."
    services.known = ("objects.dining_table:",)
    assert shell.completed("imgctl search objects.din") == "imgctl search objects.dining_table:"


def test_a_value_with_a_blank_reaches_imgctl_whole_whatever_quote_is_open(shell):
    for typed in ("person:", "'person:", '"person:', 'person:"', "person:A", 'person:\\"An'):
        assert unquoted(shell.completed(f"imgctl search {typed}")) == ["imgctl", "search", 'person:"Anna K"'], (
            typed
        )
    for typed in ("'dog person:An", "dog\\ person:An"):
        assert unquoted(shell.completed(f"imgctl search {typed}"))[-1] == 'dog person:"Anna K"', typed


def test_what_nothing_completes_stays_as_it_is(shell):
    for typed in (
        "imgctl search nosuchkey:x",
        "imgctl nosuch",
        "imgctl search 'no such",
        "imgctl search --nosuch",
    ):
        assert shell.completed(typed) == typed
    assert shell.completed("~/bin/imgctl search camera:s") == "~/bin/imgctl search camera:sony "


def test_a_key_in_an_open_quote_leaves_it_open_for_the_value(shell, services):
    services.known = ("camera:",)
    assert shell.completed("imgctl search 'dog came") == "imgctl search 'dog camera:"


def test_a_path_after_like_is_completed_from_the_files(shell):
    assert unquoted(shell.completed("imgctl search like:a"))[-1] == 'like:"a b.jpg"'


def test_without_a_daemon_the_languages_own_keys_and_values_are_completed(imgctl):
    for half, expected in (
        ("orient", "orientation:"),
        ("orientation:sq", "orientation:square"),
        ("dog (-type:he", "dog (-type:heic"),
        ('"a -b" foca', '"a -b" focal:'),
        ("nokey:x", ""),
    ):
        typed = shlex.quote(half)
        done = imgctl("search", typed, IMGD_SOCKET="/nowhere/imgd.sock", _IMGCTL_COMPLETE="fish_complete")
        assert done.stdout.strip("\n").partition("\t")[0] == expected
        assert (done.returncode, done.stderr) == (0, "")


def test_a_completion_of_commands_says_what_each_does(imgctl):
    lines = imgctl("", _IMGCTL_COMPLETE="zsh_complete").stdout.splitlines()
    assert dict(line.split("\t") for line in lines)["search"] == "Find photos."


def test_the_script_is_printed_for_every_shell(imgctl):
    for shell in ("bash", "zsh", "fish"):
        assert "_IMGCTL_COMPLETE" in imgctl("completion", shell).stdout
    assert imgctl("completion", "tcsh").returncode == 2


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1), min_size=1))
def test_a_line_is_split_as_the_shell_splits_it(words):
    line = shlex.join(words)
    finished, half = split_line(line + " ")
    assert (finished, half.raw) == (words, "")
    finished, half = split_line(line)
    assert [*finished, half.text] == words


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_what_is_completed_is_quoted_as_bash_reads_it(quote):
    text = 'it\'s "Anna" K & $HOME `x` \\ (a|b)* ü ~;<>!#?[]{}'
    command = f"printf %s {quote}{quote_rest(text, quote)}{quote}"
    said = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout
    assert said == text


def test_values_that_only_have_such_a_word_take_no_letters_away(shell, services):
    services.known = ("tag:seaside", "tag:sea", 'tag:"small seal"')
    services.complete = lambda _query, _limit: _answer(services.known)
    assert shell.completed("imgctl search tag:se") == "imgctl search tag:sea"
    services.known = ('tag:"small seal"',)
    assert unquoted(shell.completed("imgctl search tag:se"))[-1] == 'tag:"small seal"'


async def _answer(completions: tuple[str, ...]) -> CompleteAnswer:
    return CompleteAnswer(completions)


def test_plugins_are_loaded_only_for_a_command_that_is_not_built_in():
    asked = []

    def more():
        asked.append("plugins")
        return [click.Command("develop", help="Of a plugin.")]

    group = LazyGroup("imgctl", lazy={"search": "imgd.cli.search:search"}, more=more)
    context = click.Context(group)
    assert [item.value for item in group.shell_complete(context, "s")] == ["search"]
    assert asked == []
    assert [(item.value, item.help) for item in group.shell_complete(context, "dev")] == [
        ("develop", "Of a plugin.")
    ]
