"""Which analyzers can run, and which of their settings make findings stale."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from imgd import Analyzer, Model, ModelFile, QueryEncoder, hookimpl
from imgd.config import PathSettings, Settings
from imgd.daemon.roster import AnalyzerState, Roster, missing_packages
from imgd.domain import RunMode
from imgd.plugins import build_plugin_manager
from imgd.store.analyzers import AnalyzerRow
from imgd.weights.catalogue import Catalogue
from imgd.weights.store import ModelStore

WEIGHTS = b"weights"


@dataclass(frozen=True)
class ToySettings:
    threshold: float = 0.5
    threads: int = 1


class Plain(Analyzer[None]):
    name = "plain"
    version = "3"
    wants_cache_dir = True

    def analyze(self, photos: Any) -> Any:
        raise NotImplementedError


class Modelled(Analyzer[ToySettings]):
    name = "modelled"
    version = "1"
    requires = ("toy",)
    reads_sidecars = True
    settings_type = ToySettings
    code_settings: ClassVar = frozenset({"threads"})

    def analyze(self, photos: Any) -> Any:
        raise NotImplementedError


class Words(QueryEncoder[ToySettings]):
    name = "words"
    space = "toy:2"
    dimensions = 2
    requires = ("toy",)
    analyzer = "modelled"

    def encode_texts(self, texts: Any) -> Any:
        raise NotImplementedError


class Plugin:
    @hookimpl
    def imgd_analyzers(self, settings: object) -> list[type]:
        return [Plain, Modelled]

    @hookimpl
    def imgd_query_encoders(self, settings: object) -> list[type]:
        return [Words]


class Bench:
    def __init__(self, folder: Path) -> None:
        file = ModelFile("weights.bin", hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS), ())
        self.catalogue = Catalogue({"toy": Model("toy", "A toy", "MIT", (file,))})
        self.models = ModelStore(folder / "models", self.catalogue)
        self.settings = Settings(
            paths=PathSettings(folder / "state", folder / "cache", folder / "models", folder / "sock"),
            analyzers={"plain": None, "modelled": ToySettings()},
        )

    def roster(self, **changes: Any) -> Roster:
        registry = build_plugin_manager([Plugin()], selection=set())
        return Roster(registry, dataclasses.replace(self.settings, **changes), self.models)

    def fetch(self) -> None:
        folder = self.models.root / "toy"
        folder.mkdir(parents=True)
        (folder / "weights.bin").write_bytes(WEIGHTS)
        assert not any(check.problem for check in self.models.verify("toy"))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


ROWS = {
    name: AnalyzerRow(number, name, "1", "", 1, active=True)
    for number, name in enumerate(("plain", "modelled"), 7)
}


def states(roster: Roster) -> dict[str, AnalyzerState]:
    return {name: each.state for name, each in roster.standings.items()}


def digest(roster: Roster, name: str = "modelled") -> str:
    return next(each.digest for each in roster.declarations() if each.name == name)


def test_an_analyzer_without_its_model_waits_and_says_which_command_gets_it(bench: Bench) -> None:
    roster = bench.roster()
    assert states(roster) == {"plain": AnalyzerState.READY, "modelled": AnalyzerState.WAITING}
    assert roster.standings["modelled"].advice == "run `imgctl models pull toy`"
    assert [each.name for each in roster.active(ROWS)] == ["plain"]
    assert [each.name for each in roster.declarations()] == ["plain", "modelled"]


def test_an_analyzer_without_a_package_waits_and_says_what_brings_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Plain, "packages", {"no_such_module": "imgd-toys[fast]", "json": "imgd-toys"})
    monkeypatch.setattr(Words, "packages", {"no_such_module": "imgd-toys[fast]"})
    roster = bench.roster()
    assert states(roster)["plain"] is AnalyzerState.MISSING
    assert roster.standings["plain"].advice == "run `imgctl plugins install 'imgd-toys[fast]'`"
    assert roster.active(ROWS) == []
    assert roster.encoder_specs()[1] == {"toy:2": "run `imgctl plugins install 'imgd-toys[fast]'`"}


def test_a_model_that_was_fetched_is_seen_at_the_next_look(bench: Bench) -> None:
    roster = bench.roster()
    bench.fetch()
    roster.look_again()
    assert states(roster)["modelled"] is AnalyzerState.READY
    active = {each.name: each for each in roster.active(ROWS)}
    assert active["modelled"].id == 8
    assert active["modelled"].spec.model_dirs == {"toy": bench.models.root / "toy"}
    assert active["modelled"].spec.settings == ToySettings()
    assert active["plain"].spec.cache_dir == bench.settings.paths.cache_dir / "plains"
    assert active["modelled"].spec.cache_dir is None


def test_a_broken_analyzer_stays_broken_until_forgiven_and_still_owes(bench: Bench) -> None:
    roster = bench.roster()
    roster.mark_broken("plain", "ImportError: a library is missing")
    roster.look_again()
    assert states(roster)["plain"] is AnalyzerState.BROKEN
    assert roster.standings["plain"].advice == "ImportError: a library is missing"
    assert roster.active(ROWS) == []
    assert "plain" in [each.name for each in roster.declarations()]
    roster.forgive()
    assert states(roster)["plain"] is AnalyzerState.READY


def test_of_a_broken_analyzer_with_models_it_is_told_how_their_files_are_checked(bench: Bench) -> None:
    roster = bench.roster()
    roster.mark_broken("modelled", "toy.bin cannot be read.")
    checked = "toy.bin cannot be read; `imgctl models verify toy` checks the files of its models"
    assert roster.standings["modelled"].advice == checked
    roster.mark_broken("modelled", "Run `imgctl models verify toy`.")
    assert roster.standings["modelled"].advice == "Run `imgctl models verify toy`."


def test_an_analyzer_that_is_switched_off_owes_nothing_broken_or_not(bench: Bench) -> None:
    roster = bench.roster(run_modes={"plain": RunMode.OFF})
    roster.mark_broken("plain", "ImportError")
    assert states(roster)["plain"] is AnalyzerState.OFF
    assert 'run = "off"' in roster.standings["plain"].advice
    assert [each.name for each in roster.declarations()] == ["modelled"]
    assert roster.active(ROWS) == []


def test_an_analyzer_that_the_store_does_not_know_yet_does_not_run(bench: Bench) -> None:
    assert bench.roster().active({}) == []


def test_settings_that_change_findings_make_them_stale_and_others_do_not(bench: Bench) -> None:
    before = digest(bench.roster())
    assert digest(bench.roster()) == before

    def changed(**changes: Any) -> str:
        return digest(bench.roster(analyzers={"plain": None, "modelled": ToySettings(**changes)}))

    assert changed(threads=8) == before
    assert changed(threshold=0.6) != before


def test_settings_that_nobody_wrote_down_are_the_defaults(bench: Bench) -> None:
    bench.fetch()
    unwritten = bench.roster(analyzers={})
    assert digest(unwritten) == digest(bench.roster())
    specs, *_ = unwritten.encoder_specs()
    assert specs["toy:2"].settings == ToySettings()


def test_versions_are_declared_as_the_classes_say(bench: Bench) -> None:
    assert {each.name: each.version for each in bench.roster().declarations()} == {"plain": "3", "modelled": "1"}


def test_readers_of_sidecars_are_known_by_id(bench: Bench) -> None:
    assert bench.roster().sidecar_readers(ROWS) == [8]
    assert bench.roster().sidecar_readers({}) == []


def test_an_encoder_has_its_analyzers_settings_and_waits_for_its_model(bench: Bench) -> None:
    roster = bench.roster(analyzers={"plain": None, "modelled": ToySettings(threshold=0.9)})
    assert roster.encoder_specs() == ({}, {"toy:2": "run `imgctl models pull toy`"}, {})
    bench.fetch()
    specs, missing, missing_for_photos = roster.encoder_specs()
    assert missing == missing_for_photos == {}
    assert (specs["toy:2"].name, specs["toy:2"].settings) == ("toy:2", ToySettings(threshold=0.9))
    assert specs["toy:2"].model_dirs == {"toy": bench.models.root / "toy"}


def test_an_encoder_that_lacks_a_model_for_photos_serves_words(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fetch()
    monkeypatch.setattr(Words, "photo_requires", ("eye",))
    specs, missing, missing_for_photos = bench.roster().encoder_specs()
    assert list(specs["toy:2"].model_dirs) == ["toy"]
    assert (missing, missing_for_photos) == ({}, {"toy:2": "run `imgctl models add DIR --as eye`"})
    monkeypatch.setattr(Words, "photo_requires", ("toy",))
    assert bench.roster().encoder_specs()[2] == {}


def test_plugins_are_named_with_their_analyzers(bench: Bench) -> None:
    assert bench.roster().standings["plain"].plugin == "Plugin"


class Reader(Plain):
    name = "reader"
    after = ("plain",)


class ReaderOfReader(Plain):
    name = "reader-of-reader"
    after = ("reader",)


class ReadingPlugin:
    @hookimpl
    def imgd_analyzers(self, settings: object) -> list[type]:
        return [ReaderOfReader, Reader, Plain]


def modes_of_readers(bench: Bench, **modes: str) -> dict[str, str]:
    registry = build_plugin_manager([ReadingPlugin()], selection=set())
    chosen = {name.replace("_", "-"): RunMode(mode) for name, mode in modes.items()}
    roster = Roster(registry, dataclasses.replace(bench.settings, run_modes=chosen), bench.models)
    return {each.name: each.run.value for each in roster.declarations()}


def test_an_analyzer_is_idle_with_the_one_whose_findings_it_reads(bench: Bench) -> None:
    assert modes_of_readers(bench, plain="idle") == dict.fromkeys(("plain", "reader", "reader-of-reader"), "idle")


def test_an_analyzer_does_not_wait_for_one_that_runs_on_request(bench: Bench) -> None:
    assert modes_of_readers(bench, plain="request")["reader"] == "always"


def test_an_analyzer_that_runs_on_request_does_so_whatever_it_reads(bench: Bench) -> None:
    modes = modes_of_readers(bench, plain="idle", reader="request")
    assert modes == {"plain": "idle", "reader": "request", "reader-of-reader": "always"}


def test_a_sidecar_makes_photos_owe_nothing_to_an_analyzer_that_runs_on_request(bench: Bench) -> None:
    assert bench.roster(run_modes={"modelled": RunMode.REQUEST}).sidecar_readers(ROWS) == []


def test_an_analyzer_does_not_wait_for_one_whose_model_is_missing(bench: Bench) -> None:
    class ReaderOfModelled(Plain):
        name = "reader"
        after = ("modelled",)

    class WithReader(Plugin):
        @hookimpl
        def imgd_analyzers(self, settings: object) -> list[type]:
            return [ReaderOfModelled, Modelled]

    roster = Roster(build_plugin_manager([WithReader()], selection=set()), bench.settings, bench.models)
    assert states(roster) == {"reader": AnalyzerState.READY, "modelled": AnalyzerState.WAITING}
    assert {each.name: each.after for each in roster.declarations()} == {"reader": ("modelled",), "modelled": ()}


@pytest.mark.parametrize("module", ["no_such_package.part", "raising_package.part", ".part"])
def test_a_part_of_a_package_that_is_absent_or_broken_is_a_package_that_is_missing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raising_package").mkdir()
    (tmp_path / "raising_package" / "__init__.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert missing_packages({module: "imgd-toys[fast]"}) == "run `imgctl plugins install 'imgd-toys[fast]'`"
