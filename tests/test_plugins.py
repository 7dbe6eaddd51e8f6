"""Plugins are found, judged one by one, and a broken one costs only itself."""

import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from toy_plugins import Brings, BringsOther, Toy, Words

from imgd import ImageFormat, Model, Needs, QueryEncoder, hookimpl
from imgd.daemon.start import DEFAULT_PLUGINS
from imgd.domain import Device, Picture
from imgd.plugins import build_plugin_manager, plugin_selection


class Dots(ImageFormat):
    name = "dots"
    extensions = (".dots",)

    def matches(self, data: bytes, name: str) -> bool:
        return data.startswith(b"DOTS")

    def decode(self, data: bytes, edge_px: int, max_pixels: int) -> Picture:
        raise NotImplementedError


class NotMade(Dots):
    def __init__(self) -> None:
        raise OSError("no codec here")


class Bodiless(ImageFormat):
    name = "bodiless"
    extensions = (".none",)


MODEL = Model("toy", "A toy", "MIT", ())


@dataclass(frozen=True)
class WithoutDefault:
    threshold: float


@dataclass(frozen=True)
class Unresolved:
    threshold: "NoSuchType" = 0.5  # type: ignore[name-defined] # noqa: F821


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
    registry = build_plugin_manager((Brings("built-in", Toy),), selection=set())
    assert registry.analyzers(None) == {"toy": Toy}
    assert registry.owners == {"toy": "built-in"}
    assert registry.statuses["built-in"].distribution == "imgd"


def test_an_installed_plugin_is_found_by_its_entry_point(installed: Path) -> None:
    install(installed, "imgd_toy_good", GOOD)
    registry = build_plugin_manager((), selection={"imgd_toy_good"})
    assert list(registry.analyzers(None)) == ["installed"]
    status = registry.statuses["imgd_toy_good"]
    assert (status.distribution, status.version, status.error) == ("imgd_toy_good", "2.5", "")


def test_a_plugin_that_cannot_be_imported_becomes_a_status(installed: Path) -> None:
    install(installed, "imgd_toy_broken", "import no_such_library\n")
    install(installed, "imgd_toy_good", GOOD)
    registry = build_plugin_manager((), selection={"imgd_toy_good", "imgd_toy_broken"})
    assert list(registry.analyzers(None)) == ["installed"]
    assert registry.statuses["imgd_toy_broken"].error == "ModuleNotFoundError: No module named 'no_such_library'"


def test_a_plugin_with_a_hook_that_imgd_does_not_have_still_serves(installed: Path) -> None:
    install(installed, "imgd_toy_later", GOOD + "\n@hookimpl\ndef imgd_of_a_later_version():\n    return []\n")
    registry = build_plugin_manager((), selection={"imgd_toy_later"})
    assert list(registry.analyzers(None)) == ["installed"]


def test_the_built_in_analyzers_are_those_of_the_plugin_imgd() -> None:
    registry = build_plugin_manager(DEFAULT_PLUGINS, selection=set())
    assert set(registry.analyzers(None)) == {"metadata", "preview", "technical"}
    assert set(registry.owners.values()) == set(registry.statuses) == {"imgd"}


def test_it_is_complete_where_every_installed_plugin_serves(installed: Path) -> None:
    fine = build_plugin_manager((Brings("fine", Toy),), selection=every_plugin())
    assert fine.analyzers(None)
    assert fine.is_complete
    broken = build_plugin_manager((Brings("odd", declared(batch_size=0)),), selection=every_plugin())
    assert "toy" not in broken.analyzers(None)
    assert not broken.is_complete
    install(installed, "imgd_toy_good", GOOD)
    assert build_plugin_manager((), selection=every_plugin()).is_complete
    assert not build_plugin_manager((), selection=set()).is_complete
    install(installed, "imgd_toy_broken", "import no_such_library\n")
    assert not build_plugin_manager((), selection=every_plugin()).is_complete


def every_plugin() -> set[str]:
    return {each.name for each in importlib.metadata.entry_points(group="imgd")}


def test_only_the_selected_plugins_are_imported(installed: Path) -> None:
    install(installed, "imgd_toy_good", GOOD)
    assert build_plugin_manager((), selection=set()).statuses == {}
    assert "imgd_toy_good" not in sys.modules
    assert plugin_selection({}) is None
    assert plugin_selection({"IMGD_PLUGINS": ""}) == set()
    assert plugin_selection({"IMGD_PLUGINS": "a, b,"}) == {"a", "b"}


def test_a_hook_that_raises_costs_only_its_own_plugin() -> None:
    registry = build_plugin_manager((Raises(), Brings("fine", Toy)), selection=set())
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
        (declared(facts=["x"]), "`facts` must map keys to float, int, str or bool"),
        (declared(facts={3: int}), "`facts` must map keys to float, int, str or bool"),
        (declared(facts={"objects.*": list}), "`facts` must map keys to float, int, str or bool"),
        (declared(facts={"*": int}), "`facts` has `*`; a star stands behind a dot at the end"),
        (declared(facts={"a.*.b": int}), "`facts` has `a.*.b`; a star stands behind a dot at the end"),
        (declared(facts={".*": int}), "`facts` has `.*`; a family is called by letters"),
        (declared(facts={"a.b.*": int}), "`facts` has `a.b.*`; a family is called by letters"),
        (declared(facts={"a.*": int, "a": int}), "`facts` has `a` and `a.*`: the first is the family's own"),
        (declared(facts={"a.*": int, "a.b": float}), "`facts` has `a.b` as another type than its family"),
        (
            declared(facts={"a.*": int, "a.B c": int}),
            "`facts` has `a.B c`; members of a family have small letters",
        ),
        (declared(needs=Needs(edge="big")), "TypeError"),  # type: ignore[arg-type]
        (declared(after="metadata"), "`after` must be a tuple of names"),
        (declared(requires=(3,)), "`requires` must be a tuple of names"),
        (declared(settings_type=dict), "`settings_type` must be a dataclass"),
        (declared(settings_type=WithoutDefault), "missing 1 required positional argument: 'threshold'"),
        (declared(settings_type=Unresolved), "name 'NoSuchType' is not defined"),
        (declared(device=Device.MODEL), "an analyzer in a lane must declare Needs(edge > 0)"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused_with_its_reason(analyzer: object, problem: str) -> None:
    registry = build_plugin_manager((Brings("odd", analyzer, declared(name="other")),), selection=set())
    assert list(registry.analyzers(None)) == ["other"]
    assert problem in registry.statuses["odd"].error


@pytest.mark.parametrize(
    ("encoder", "problem"),
    [
        (int, "not a subclass of imgd.QueryEncoder"),
        (type("Spaceless", (QueryEncoder,), {"dimensions": 2}), "needs the `space` that it serves"),
        (type("Flat", (Words,), {"dimensions": 0}), "`dimensions` must be 1 or more"),
        (type("Needy", (Words,), {"requires": "toy"}), "`requires` must be a tuple of names"),
        (type("Greedy", (Words,), {"photo_requires": "toy"}), "`photo_requires` must be a tuple of names"),
        (type("Blind", (Words,), {"edge": 224}), "with an `edge` it must have `encode_photos`"),
        (type("Narrow", (Words,), {"edge": -1}), "`edge` must be 0 or more"),
        (type("Loud", (Words,), {"background_texts": 3}), "TypeError"),
        (type("Mute", (QueryEncoder,), {"space": "toy:2", "dimensions": 2}), "it must have `encode_texts`"),
        (type("Deaf", (Words,), {"words": False}), "without `words` it needs an `edge`"),
        (type("Captions", (Words,), {"of_texts": True, "words": False}), "one `of_texts` encodes words"),
    ],
)
def test_a_query_encoder_that_is_wrong_is_refused_with_its_reason(encoder: object, problem: str) -> None:
    registry = build_plugin_manager((BringsOther(encoders=[encoder, Words]),), selection=set())
    assert registry.query_encoders(None) == {"toy:2": Words}
    assert problem in registry.statuses["other"].error


@pytest.mark.parametrize(
    ("image_format", "problem"),
    [
        ("dots", "not a subclass of imgd.ImageFormat"),
        (type("Nameless", (ImageFormat,), {"extensions": (".x",)}), "needs a `name`"),
        (type("Endless", (ImageFormat,), {"name": "endless"}), "needs `extensions`"),
        (type("Letters", (Dots,), {"extensions": ".dots"}), "needs `extensions`"),
        (type("Capital", (Dots,), {"extensions": (".DOTS",)}), "needs `extensions`"),
        (NotMade, "cannot be made (OSError: no codec here)"),
        (Bodiless, "cannot be made (TypeError: Can't instantiate abstract class"),
    ],
)
def test_an_image_format_that_is_wrong_is_refused_with_its_reason(image_format: object, problem: str) -> None:
    registry = build_plugin_manager((BringsOther(formats=[image_format, Dots]),), selection=set())
    assert registry.formats() == [Dots]
    assert problem in registry.statuses["other"].error


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ({"name": "toy"}, "not an imgd.Model"),
        (Model("", "A toy", "MIT", ()), "needs a `name`"),
        (Model("odd", "A toy", "MIT", ("weights.bin",)), "`files` must be a tuple of imgd.ModelFile"),  # type: ignore[arg-type]
    ],
)
def test_a_model_that_is_wrong_is_refused_with_its_reason(model: object, problem: str) -> None:
    registry = build_plugin_manager((BringsOther(models=[model, MODEL]),), selection=set())
    assert registry.models() == {"toy": MODEL}
    assert problem in registry.statuses["other"].error


def test_analyzers_that_wait_for_each_other_are_left_out_and_the_circle_is_named() -> None:
    circle = [
        declared(name="a", after=("b",)),
        declared(name="b", after=("toy", "c")),
        declared(name="c", after=("a",)),
    ]
    narcissus = declared(name="narcissus", after=("narcissus",))
    fine = declared(name="fine", after=("a", "toy", "of_another_plugin"))
    plugins = (Brings("first", Toy, *circle[:2]), Brings("second", circle[2], fine), Brings("third", narcissus))
    registry = build_plugin_manager(plugins, selection=set())
    assert registry.analyzers(None) == {"toy": Toy, "fine": fine}
    assert set(registry.owners) == {"toy", "fine"}
    for plugin in ("first", "second"):
        error = registry.statuses[plugin].error
        assert "analyzers wait for each other by `after`" in error
        assert any(
            part in error for part in ("a after b after c after a", "b after c after a", "c after a after b")
        )
    assert "narcissus after narcissus" in registry.statuses["third"].error


def test_the_first_analyzer_of_a_name_keeps_it() -> None:
    registry = build_plugin_manager((Brings("first", Toy), Brings("second", declared())), selection=set())
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

    registry = build_plugin_manager((Listens(), Stumbles()), selection=set())
    assert registry.has_listeners()
    registry.photo_analyzed(7, "/photos/a.jpg", "toy")
    assert heard == [("/photos/a.jpg", "toy")]
    assert registry.statuses["stumbles"].error == "KeyError: 7"
