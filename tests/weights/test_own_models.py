"""Models of one's own: folders that no plugin names, taken as they are; and files that only a hub vouches for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imgd.config import ModelSettings
from imgd.errors import DiskFullError, ModelError
from imgd.model import Model, ModelFile
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

GRAPH, CONFIG = b"graph " * 1000, b'{"embed_dim": 512}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model in a layout of folders, with a hidden file beside it."""
    directory = tmp_path / "download"
    (directory / "visual").mkdir(parents=True)
    (directory / "visual" / "model.onnx").write_bytes(GRAPH)
    (directory / "config.json").write_bytes(CONFIG)
    (directory / ".gitattributes").write_bytes(b"*.onnx filter=lfs")
    return directory


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    half_told = (
        ModelFile("visual/model.onnx", hashlib.sha256(GRAPH).hexdigest(), len(GRAPH), ()),
        ModelFile("config.json", "", 500, (f"hub:org/repo@{'c' * 40}:config.json",)),
    )
    return ModelStore(tmp_path / "models", Catalogue({"named": Model("named", "A toy", "MIT", half_told)}))


def test_a_folder_becomes_a_model_that_settings_can_name(store: ModelStore, folder: Path) -> None:
    store.add_as(folder, "mine")
    assert store.status("mine") is ModelStatus.PRESENT
    assert (store.directory("mine") / "visual/model.onnx").read_bytes() == GRAPH
    assert not (store.directory("mine") / ".gitattributes").exists()
    assert [model.name for model in store.catalogue] == ["mine", "named"]
    assert store.catalogue.model("mine").size_bytes == len(GRAPH) + len(CONFIG)
    assert pull(store, store.catalogue.model("mine"), ModelSettings()) is False


def test_a_model_of_ones_own_is_verified_replaced_and_removed(store: ModelStore, folder: Path) -> None:
    store.add_as(folder, "mine")
    (store.directory("mine") / "config.json").write_bytes(b'{"embed_dim": 768}')
    assert [check.problem.split()[0] for check in store.verify("mine") if check.problem] == ["has"]
    assert store.status("mine") is ModelStatus.CORRUPT
    (folder / "visual" / "model.onnx").unlink()
    store.add_as(folder, "mine")
    assert store.status("mine") is ModelStatus.PRESENT
    assert not (store.directory("mine") / "visual").exists()
    assert store.remove("mine")
    with pytest.raises(ModelError, match="no model is named 'mine'"):
        store.status("mine")


def test_a_model_of_ones_own_comes_back_where_the_new_one_cannot_take_its_place(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_as(folder, "mine")
    (folder / "visual" / "model.onnx").write_bytes(b"another")
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> Path:
        if path.parent.name == "added":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.add_as(folder, "mine")
    assert store.status("mine") is ModelStatus.PRESENT
    assert (store.directory("mine") / "visual/model.onnx").read_bytes() == GRAPH


def test_a_model_of_ones_own_stays_until_the_one_in_its_place_is_whole(
    store: ModelStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_as(folder, "mine")
    (store.directory("mine") / "note.txt").write_bytes(b"more")
    store.add_as(store.directory("mine"), "mine")
    assert (store.directory("mine") / "note.txt").read_bytes() == b"more"
    assert (store.directory("mine") / "visual/model.onnx").read_bytes() == GRAPH

    def no_room(*_arguments: object) -> None:
        raise DiskFullError("no room")

    monkeypatch.setattr("imgd.weights.store.write_verified", no_room)
    for name in ("mine", "another"):
        with pytest.raises(DiskFullError):
            store.add_as(folder, name)
    assert (store.directory("mine") / "note.txt").read_bytes() == b"more"
    assert [model.name for model in store.catalogue] == ["mine", "named"]


def test_what_is_missing_is_fetched_where_a_plugin_names_it_and_added_where_none_does(store: ModelStore) -> None:
    assert (
        store.how_to_get(["mine", "named"])
        == "run `imgctl models pull named` and `imgctl models add DIR --as mine`"
    )
    assert store.how_to_get(["mine"]) == "run `imgctl models add DIR --as mine`"
    assert store.how_to_get([]) == ""


def test_names_of_the_catalogue_and_names_that_lead_elsewhere_are_refused(store: ModelStore, folder: Path) -> None:
    for name, reason in (("named", "of the catalogue"), ("../out", "cannot be the name"), (".x", "cannot be")):
        with pytest.raises(ModelError, match=reason):
            store.add_as(folder, name)
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match="has no files"):
        store.add_as(empty, "mine")


def test_a_file_that_only_the_hub_knows_is_taken_from_beside_those_that_are_known(
    store: ModelStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(b"of something else")
    assert store.add(tmp_path) == ["named"]
    assert (store.directory("named") / "config.json").read_bytes() == CONFIG
    assert [check.problem for check in store.verify("named")] == ["", ""]
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"named: config.json"):
        store.add(folder, "named")
