"""The documents are complete and true: hooks, settings, commands, benchmarks, links, and the code in them."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import imgd
from imgd import config
from imgd.cli.imgctl import imgctl
from imgd.cli.imgd import imgd as imgd_command
from imgd.config import Settings
from imgd.daemon import build_registry, load_settings
from imgd.domain import RunMode
from imgd.hookspecs import HookSpecs
from imgd.testing import check_analyzer

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
DOCUMENTS = sorted(
    [*REPOSITORY.glob("*.md"), *DOCS.glob("*.md"), *REPOSITORY.glob("plugins/*/README.md")],
)
HOOKS = sorted(name for name in vars(HookSpecs) if name.startswith("imgd_"))
NOT_IN_THE_FILE = {"analyzers", "run_modes", "source"}


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def settings_fields() -> Iterator[tuple[str, str]]:
    """(section, key) of every setting of imgd itself; the section of `roots` is empty."""
    hints = typing.get_type_hints(Settings)
    for field in dataclasses.fields(Settings):
        if field.name in NOT_IN_THE_FILE:
            continue
        if dataclasses.is_dataclass(hints[field.name]):
            yield from ((field.name, each.name) for each in dataclasses.fields(hints[field.name]))
        else:
            yield "", field.name


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Every command below `group`, as it is typed."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"{path} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, typing.Any]:
    """imgd.toml.example."""
    return tomllib.loads(read("imgd.toml.example"))


# ---------------------------------------------------------------------- the example configuration


def test_the_example_has_every_setting_and_no_other(example: dict[str, typing.Any]) -> None:
    analyzers = build_registry().analyzers(Settings())
    wanted = set(settings_fields())
    for name, analyzer in analyzers.items():
        keys = [each.name for each in dataclasses.fields(analyzer.settings_type)] if analyzer.settings_type else []
        wanted |= {(f"analyzers.{name}", key) for key in ["run", *keys]}
    found = set()
    for key, value in example.items():
        if key == "analyzers":
            found |= {(f"analyzers.{name}", each) for name, table in value.items() for each in table}
        elif isinstance(value, dict):
            found |= {(key, each) for each in value}
        else:
            found.add(("", key))
    assert found == wanted


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.delenv("IMGD_PLUGINS", raising=False)
    settings, registry = load_settings(REPOSITORY / "imgd.toml.example")
    defaults = Settings(
        analyzers={
            name: each.settings_type() if each.settings_type else None
            for name, each in registry.analyzers(Settings()).items()
        },
        run_modes=dict.fromkeys(registry.analyzers(Settings()), RunMode.ALWAYS),
        source=settings.source,
    )
    assert settings == defaults


def test_every_setting_of_the_example_has_a_comment_beside_or_above_it() -> None:
    section_comment = False
    for number, line in enumerate(read("imgd.toml.example").splitlines(), start=1):
        if line.startswith("#"):
            section_comment = True
        elif line.startswith("["):
            section_comment = "#" in line or section_comment
        elif "=" in line:
            is_told = "#" in line or section_comment or line.startswith("run =")
            assert is_told, f"line {number} says nothing of {line}"
        elif not line.strip():
            section_comment = False


def test_every_setting_is_used_by_the_code() -> None:
    used = {
        node.attr
        for path in (REPOSITORY / "imgd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute)
    }
    assert {key for _section, key in settings_fields()} - used == set()


# ---------------------------------------------------------------------- hooks, commands, benchmarks


def test_every_hook_has_a_docstring_and_a_section() -> None:
    headings = re.findall(r"^## (\S+)$", read("docs/hooks.md"), re.MULTILINE)
    assert sorted(headings) == HOOKS
    assert all(getattr(HookSpecs, hook).__doc__ for hook in HOOKS)


def test_every_command_is_documented() -> None:
    text = read("docs/operations.md")
    for command in [*commands(imgctl, "imgctl"), *commands(imgd_command, "imgd")]:
        program, name, *below = command.split()
        assert f"`{program} {name}`" in text or f"`{program} {name} " in text, f"{command} is not documented"
        if below and name == "models":
            assert f"`{below[0]}`" in text, f"{command} is not documented"
        elif below:
            assert command in text, f"{command} is not documented"


def test_every_command_that_is_documented_exists() -> None:
    known = {*commands(imgctl, "imgctl"), *commands(imgd_command, "imgd")}
    for document in DOCUMENTS:
        for program, name in re.findall(
            r"^(?:    |  )(imgctl|imgd) (?:--\S+ \S+ )*([a-z]+)", document.read_text(), re.MULTILINE
        ):
            assert f"{program} {name}" in known, f"{document.name} shows `{program} {name}`"


def test_every_exit_code_and_variable_is_documented() -> None:
    text = read("docs/operations.md")
    sources = [path.read_text() for path in (REPOSITORY / "imgd").rglob("*.py")]
    for variable in {each for source in sources for each in re.findall(r"\bIMGD_[A-Z]+\b", source)}:
        assert f"`{variable}`" in text, f"{variable} is not documented"
    assert "0 done or found, 1 nothing found" in text


def test_every_benchmark_has_a_section() -> None:
    programs = {
        f"bench/{path.name}" for path in (REPOSITORY / "bench").glob("*.py") if "__main__" in path.read_text()
    }
    assert programs <= set(re.findall(r"^## (\S+)$", read("docs/performance.md"), re.MULTILINE))


def test_every_attribute_of_an_analyzer_is_documented() -> None:
    text = read("docs/writing-plugins.md")
    declared = set(imgd.Analyzer.__annotations__) - {"cache_dir"}
    assert {name for name in declared if f"| `{name}` |" not in text} == set()
    assert set(imgd.__all__) - {"__version__"} >= {"Analyzer", "Finding", "hookimpl"}


# ---------------------------------------------------------------------- the documents themselves


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), f"{document.name} links to {target}"
        assert linked.is_relative_to(REPOSITORY)
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_documents_read_as_prose(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert "—" not in text
    assert max((len(line) for line in text.splitlines() if "|" not in line), default=0) <= 125


def test_every_word_of_the_glossary_stands_alone() -> None:
    words = re.findall(r"^\| ([a-z -]+) \|", read("docs/glossary.md"), re.MULTILINE)[1:]
    assert len(words) == len(set(words)) > 20


# ---------------------------------------------------------------------- the code in the documents


def test_the_readmes_plugin_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert len(code.splitlines()) <= 20
    (tmp_path / "readme_plugin.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = importlib.import_module("readme_plugin")
    (analyzer,) = plugin.imgd_analyzers(Settings())
    outcomes = check_analyzer(analyzer)
    assert [tag.label for tag in outcomes["a black photo"].tags] == ["night"]  # type: ignore[union-attr]


def test_code_in_the_documents_is_python_and_toml() -> None:
    for document in DOCUMENTS:
        for language, block in re.findall(r"```(\w+)\n(.*?)```", document.read_text(), re.DOTALL):
            if language == "python":
                ast.parse(block)
            else:
                assert language == "toml"
                tomllib.loads(block)


def test_the_makefile_explains_itself() -> None:
    shown = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "make demo PHOTOS=DIR" in shown
    for target in re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)[0].split():
        assert target == "help" or target in shown


def test_this_python_is_one_that_imgd_supports() -> None:
    wanted = tomllib.loads(read("pyproject.toml"))["project"]["requires-python"]
    assert wanted == ">=3.11"
    assert sys.version_info >= (3, 11)
    assert config.default_config_path().name == "imgd.toml"
