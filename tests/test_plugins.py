"""Plugins are found, judged one by one, and a broken one costs only itself."""

import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from imgd import Analyzer, Failure, Finding, Needs, PhotoInput, hookimpl
from imgd.domain import Device
from imgd.plugins import build_plugin_manager, plugin_selection


class Toy(Analyzer[None]):
    name = "toy"
    version = "1"

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return [Finding() for _ in photos]


class Brings:
    """A plugin with these analyzers."""

    def __init__(self, name: str, *analyzers: object) -> None:
        self.__name__ = name
        self._analyzers = analyzers

    @hookimpl
    def imgd_analyzers(self) -> list[Any]:
        return list(self._analyzers)


class Raises:
    __name__ = "raises"

    @hookimpl
    def imgd_analyzers(self) -> list[Any]:
        raise RuntimeError("out of order")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose distributions count as installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(folder: Path, name: str, code: str) -> None:
    """A distribution `name` with one module and an entry point of the group `imgd`."""
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(f"[imgd]\n{name} = {name}\n")
    importlib.invalidate_caches()


GOOD = """\
from imgd import Analyzer, Finding, hookimpl

class Installed(Analyzer):
    name = "installed"
    version = "1"

    def analyze(self, photos):
        return [Finding() for _ in photos]

@hookimpl
def imgd_analyzers(settings):
    return [Installed]
"""


def test_the_built_in_plugins_come_first_and_say_whose_an_analyzer_is() -> None:
    registry = build_plugin_manager((Brings("built-in", Toy),), selection="")
    assert registry.analyzers(None) == {"toy": Toy}
    assert registry.owners == {"toy": "built-in"}
    assert registry.statuses["built-in"].distribution == "imgd"


def test_an_installed_plugin_is_found_by_its_entry_point(installed: Path) -> None:
    install(installed, "imgd_toy_good", GOOD)
    registry = build_plugin_manager((), selection="imgd_toy_good")
    assert list(registry.analyzers(None)) == ["installed"]
    status = registry.statuses["imgd_toy_good"]
    assert (status.distribution, status.version, status.error) == ("imgd_toy_good", "2.5", "")


def test_a_plugin_that_cannot_be_imported_becomes_a_status(installed: Path) -> None:
    install(installed, "imgd_toy_broken", "import no_such_library\n")
    install(installed, "imgd_toy_good", GOOD)
    registry = build_plugin_manager((), selection="imgd_toy_good,imgd_toy_broken")
    assert list(registry.analyzers(None)) == ["installed"]
    assert registry.statuses["imgd_toy_broken"].error == "ModuleNotFoundError: No module named 'no_such_library'"


def test_a_plugin_with_a_hook_that_imgd_does_not_have_still_serves(installed: Path) -> None:
    install(installed, "imgd_toy_later", GOOD + "\n@hookimpl\ndef imgd_of_a_later_version():\n    return []\n")
    registry = build_plugin_manager((), selection="imgd_toy_later")
    assert list(registry.analyzers(None)) == ["installed"]


def test_only_the_selected_plugins_are_imported(installed: Path) -> None:
    install(installed, "imgd_toy_good", GOOD)
    assert build_plugin_manager((), selection="").statuses == {}
    assert "imgd_toy_good" not in sys.modules
    assert plugin_selection({}) is None
    assert plugin_selection({"IMGD_PLUGINS": "a,b"}) == "a,b"


def test_a_hook_that_raises_costs_only_its_own_plugin() -> None:
    registry = build_plugin_manager((Raises(), Brings("fine", Toy)), selection="")
    assert list(registry.analyzers(None)) == ["toy"]
    assert registry.statuses["raises"].error == "RuntimeError: out of order"
    assert registry.statuses["fine"].error == ""


def declared(**attributes: object) -> type:
    return type("Odd", (Toy,), attributes)


@pytest.mark.parametrize(
    ("analyzer", "problem"),
    [
        ("not a class", "not a subclass of imgd.Analyzer"),
        (int, "not a subclass of imgd.Analyzer"),
        (declared(name="Not Lower"), "needs a `name` of a-z, 0-9, - and _"),
        (declared(version=1), "needs a `version` string"),
        (declared(needs=Needs(edge=-1)), "`needs` must be Needs(edge >= 0)"),
        (declared(batch_size=0), "`batch_size` must be 1 or more"),
        (declared(facts={"when": list}), "`facts` must map keys to float, int, str or bool"),
        (declared(device=Device.MODEL), "an analyzer in a lane must declare Needs(edge > 0)"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused_with_its_reason(analyzer: object, problem: str) -> None:
    registry = build_plugin_manager((Brings("odd", analyzer, declared(name="other")),), selection="")
    assert list(registry.analyzers(None)) == ["other"]
    assert problem in registry.statuses["odd"].error


def test_the_first_analyzer_of_a_name_keeps_it() -> None:
    registry = build_plugin_manager((Brings("first", Toy), Brings("second", declared())), selection="")
    assert registry.analyzers(None) == {"toy": Toy}
    assert "already brought by another plugin" in registry.statuses["second"].error


def test_listeners_are_told_of_analyzed_photos_and_one_that_raises_is_blamed() -> None:
    heard = []

    class Listens:
        __name__ = "listens"

        @hookimpl
        def imgd_photo_analyzed(self, path: str, analyzer: str) -> None:
            heard.append((path, analyzer))

    class Stumbles:
        __name__ = "stumbles"

        @hookimpl
        def imgd_photo_analyzed(self, photo_id: int) -> None:
            raise KeyError(photo_id)

    registry = build_plugin_manager((Listens(), Stumbles()), selection="")
    assert registry.has_listeners()
    registry.photo_analyzed(7, "/photos/a.jpg", "toy")
    assert heard == [("/photos/a.jpg", "toy")]
    assert registry.statuses["stumbles"].error == "KeyError: 7"
