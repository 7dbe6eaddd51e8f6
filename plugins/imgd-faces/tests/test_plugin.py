import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from imgd_faces.analyzer import FaceAnalyzer
from imgd_faces.packs import PACKS
from imgd_faces.settings import FaceSettings

from imgd.config import ModelSettings, PathSettings, Settings
from imgd.daemon.roster import AnalyzerState, Roster, Standing
from imgd.errors import LicenceError
from imgd.plugins import build_plugin_manager
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.sources import parse_source
from imgd.weights.store import ModelStore

HEAVY = ("cv2", "dlib", "onnxruntime", "numpy")


def standing(folder: Path, settings: FaceSettings) -> Standing:
    """What imgd makes of the analyzer with these settings and an empty model store."""
    registry = build_plugin_manager((), selection={"faces"})
    store = ModelStore(folder / "models", Catalogue(registry.models()))
    paths = PathSettings(folder / "state", folder / "cache", folder / "models", folder / "sock")
    roster = Roster(registry, Settings(paths=paths, analyzers={"faces": settings}), store)
    return roster.standings["faces"]


def test_the_entry_point_brings_the_analyzer_and_all_packs() -> None:
    registry = build_plugin_manager((), selection={"faces"})
    assert registry.statuses["faces"].error == ""
    assert registry.analyzers(None) == {"faces": FaceAnalyzer}
    assert set(registry.models()) == set(PACKS)


def test_reading_the_plugin_imports_nothing_heavy() -> None:
    code = f"import sys, imgd_faces.plugin; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    )


@pytest.mark.parametrize("name", sorted(PACKS))
def test_each_pack_can_be_named_and_says_what_it_needs(name: str) -> None:
    settings = FaceSettings(model=name, edge=800)  # type: ignore[arg-type]
    declaration = FaceAnalyzer.configured(settings)
    assert declaration.requires == (name,)
    assert declaration.needs.edge == 800
    assert declaration.memory_mb >= PACKS[name].memory_mb
    wider = FaceAnalyzer.configured(replace(settings, detection_edge=1280))
    assert wider.photo_mb == 4 * declaration.photo_mb == 4 * PACKS[name].photo_mb
    files = {file.name for file in PACKS[name].model.files}
    assert files == {PACKS[name].detector, PACKS[name].embedder}
    for file in PACKS[name].model.files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert [parse_source(source) for source in file.sources]


def test_packs_share_a_space_exactly_where_they_share_the_embedder() -> None:
    spaces = {
        pack.space: {file.sha256 for file in pack.model.files if file.name == pack.embedder}
        for pack in PACKS.values()
    }
    for pack in PACKS.values():
        (embedder,) = (file.sha256 for file in pack.model.files if file.name == pack.embedder)
        assert spaces[pack.space] == {embedder}
    assert len(set().union(*spaces.values())) == len(spaces)


@pytest.mark.parametrize("name", sorted(PACKS))
def test_without_its_pack_it_waits_and_says_which_command_gets_it(tmp_path: Path, name: str) -> None:
    if PACKS[name].dlib:
        pytest.importorskip("dlib", reason="the extra imgd-faces[dlib] is not installed")
    waiting = standing(tmp_path, FaceSettings(model=name))  # type: ignore[arg-type]
    assert waiting.state is AnalyzerState.WAITING
    assert f"imgctl models pull {name}" in waiting.advice


@pytest.mark.parametrize("name", sorted(name for name, pack in PACKS.items() if pack.model.must_accept))
def test_a_pack_under_a_non_commercial_licence_is_not_fetched_before_it_is_accepted(
    tmp_path: Path, name: str
) -> None:
    model = PACKS[name].model
    store = ModelStore(tmp_path, Catalogue({name: model}))
    with pytest.raises(LicenceError, match="non-commercial") as refused:
        pull(store, model, ModelSettings())
    assert f"--accept-licence {name}" in refused.value.advice
    assert not list(tmp_path.iterdir())


def test_only_dlib_is_free_for_every_use() -> None:
    free = [name for name, pack in PACKS.items() if not pack.model.must_accept]
    assert free == ["dlib-faces"]
    assert PACKS["dlib-faces"].model.licence == "CC0-1.0"


def test_without_dlib_it_says_which_extra_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "dlib" else real(name, *rest)
    )
    missing = standing(tmp_path, FaceSettings(model="dlib-faces"))
    assert missing.state is AnalyzerState.MISSING
    assert "imgd-faces[dlib]" in missing.advice
    assert standing(tmp_path, FaceSettings()).state is AnalyzerState.WAITING
