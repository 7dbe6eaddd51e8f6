import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from imgd.errors import ModelError, ModelMissingError
from imgd.model import Model, ModelFile
from imgd.weights.store import ModelStatus, ModelStore

MakeStore = Callable[[Model], ModelStore]
ToyModel = Callable[..., Model]
Contents = dict[str, bytes]
BuildWheel = Callable[..., Path]


@pytest.fixture
def elsewhere(tmp_path: Path, contents: Contents) -> Path:
    """The toy model's files, under other names, in a folder of somebody's own."""
    directory = tmp_path / "download"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "renamed.tflite").write_bytes(contents["graph.bin"])
    (directory / "names").write_bytes(contents["labels.txt"])
    (directory / "unrelated").write_bytes(b"x" * len(contents["labels.txt"]))
    return directory


def test_a_model_fetched_elsewhere_is_recognised_by_content_and_kept_owner_only(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel, contents: Contents
) -> None:
    store = make_store(toy_model())
    assert store.status("toy") is ModelStatus.ABSENT
    assert store.add(elsewhere) == ["toy"]
    assert store.status("toy") is ModelStatus.PRESENT
    directory = store.directory("toy")
    assert {name: (directory / name).read_bytes() for name in contents} == contents
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "graph.bin").stat().st_mode) == 0o600


def test_an_incomplete_folder_is_refused_with_what_is_missing(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    (elsewhere / "names").unlink()
    store = make_store(toy_model())
    with pytest.raises(ModelError, match=r"toy: labels.txt"):
        store.add(elsewhere, "toy")
    assert store.status("toy") is ModelStatus.ABSENT


def test_a_missing_model_says_which_command_gets_it(make_store: MakeStore, toy_model: ToyModel) -> None:
    with pytest.raises(ModelMissingError, match="toy is absent") as raised:
        make_store(toy_model()).directory("toy")
    assert "`imgctl models pull toy`" in raised.value.advice


def test_a_missing_file_makes_a_model_partial(make_store: MakeStore, elsewhere: Path, toy_model: ToyModel) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    (store.directory("toy") / "labels.txt").unlink()
    assert store.status("toy") is ModelStatus.PARTIAL


def test_a_file_of_another_size_makes_a_model_corrupt_at_once(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    (store.directory("toy") / "labels.txt").write_bytes(b"cat\n")
    assert store.status("toy") is ModelStatus.CORRUPT


def test_verify_names_the_file_whose_content_is_wrong_and_status_remembers_it(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    (store.directory("toy") / "labels.txt").write_bytes(b"cow\ndog\n")
    assert store.status("toy") is ModelStatus.PRESENT
    problems = {check.file.name: check.problem for check in store.verify("toy")}
    assert problems["graph.bin"] == ""
    assert "should have" in problems["labels.txt"]
    assert store.status("toy") is ModelStatus.CORRUPT


def test_files_put_there_by_hand_count_once_they_are_verified(
    make_store: MakeStore, toy_model: ToyModel, contents: Contents
) -> None:
    store = make_store(toy_model())
    (store.root / "toy").mkdir(parents=True)
    for name, data in contents.items():
        (store.root / "toy" / name).write_bytes(data)
    assert store.status("toy") is ModelStatus.PARTIAL
    assert all(not check.problem for check in store.verify("toy"))
    assert store.status("toy") is ModelStatus.PRESENT


def test_a_damaged_manifest_only_means_that_the_model_must_be_verified_again(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    (store.root / "toy" / ".verified.json").write_text("[]")
    assert store.status("toy") is ModelStatus.PARTIAL


def test_remove_deletes_the_model_and_says_whether_it_was_there(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    assert store.remove("toy")
    assert not (store.root / "toy").exists()
    assert not store.remove("toy")


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", ".lock", ""])
def test_a_catalogue_entry_cannot_name_a_file_outside_its_own_folder(make_store: MakeStore, name: str) -> None:
    store = make_store(Model("toy", "A toy", "MIT", (ModelFile(name, "0" * 64, 1, ()),)))
    with pytest.raises(ModelError, match="cannot be the name"):
        store.status("toy")


def test_what_the_system_refuses_is_named_with_its_path(
    make_store: MakeStore, elsewhere: Path, toy_model: ToyModel
) -> None:
    store = make_store(toy_model())
    store.add(elsewhere)
    (store.root / ".lock").unlink()
    (store.root / ".lock").mkdir()
    for work in (store.verify, store.remove, lambda _name: store.add(elsewhere)):
        with pytest.raises(ModelError, match=r"models/.lock: Is a directory") as raised:
            work("toy")
        assert "paths.models_dir" in raised.value.advice
