"""Counts of objects through a real daemon: filtered by, completed, and refused where they are misspelt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon
from PIL import Image

from imgd.control.client import ControlClient


@pytest.fixture(scope="module")
def library(model_dirs: Mapping[str, Path]) -> Iterator[Daemon]:
    """A portrait, a cat, a photo that shows no object, and one that cannot be decoded."""
    data = pytest.importorskip("skimage.data", reason="the sample photos come with scikit-image")
    with daemon(plugins="concepts") as made:
        made.configure(paths={"models_dir": str(next(iter(model_dirs.values())).parent)})
        for name in ("astronaut.png", "chelsea.png"):
            shutil.copy(Path(data.__file__).parent / name, made.root / name)
        Image.new("RGB", (320, 240)).save(made.root / "plain.jpg")
        (made.root / "broken.jpg").write_bytes(b"no photo at all")
        made.start().wait(240)
        yield made


def names(library: Daemon, query: str) -> set[str]:
    return set(library.found(query))


def test_photos_are_found_by_how_many_objects_they_show(library: Daemon) -> None:
    assert library.findings(library.root / "astronaut.png")["concepts"]["facts"]["objects"]["person"] == 1
    assert names(library, "objects.person:1") == names(library, "objects.person:yes") == {"astronaut.png"}
    assert names(library, "objects.cat:>=1") == {"chelsea.png"}
    assert names(library, "objects.person:>=5") == set()
    assert names(library, "concepts.objects.cat:1") == {"chelsea.png"}


def test_none_is_told_from_not_looked_at(library: Daemon) -> None:
    assert (
        names(library, "objects.person:0") == names(library, "objects.person:no") == {"chelsea.png", "plain.jpg"}
    )
    assert names(library, 'objects."traffic light":0') == {"astronaut.png", "chelsea.png", "plain.jpg"}
    assert names(library, "objects:0") == {"plain.jpg"}
    assert "broken.jpg" in names(library, "-objects.person:yes")


def test_a_misspelt_object_is_refused_with_the_right_one_and_an_unknown_one_finds_nothing(library: Daemon) -> None:
    refused = library.ctl("search", "objects.persn:1")
    assert refused.code == 2
    assert "Did you mean `objects.person:`?" in refused.err
    unknown = library.ctl("search", "objects.unicorn:0")
    assert unknown.code == 1
    assert "no photo has `objects.unicorn`" in unknown.err


def test_the_family_is_told_and_its_members_are_completed(library: Daemon) -> None:
    (concepts,) = [each for each in library.ctl("analyzers", "--json").lines if each["name"] == "concepts"]
    assert concepts["facts"]["objects.*"] == concepts["facts"]["objects.hair_drier"] == "int"
    with ControlClient(library.socket, 60.0) as client:
        assert client.complete("obj") == ("objects.", "objects:")
        assert "objects.person:" in client.complete("objects.")
        assert "objects.zebra:" not in client.complete("objects.")
