"""imgd.toml: what it sets, and how everything that is wrong with it is told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta

from imgd import config
from imgd.config import KnownAnalyzers, Settings, load, settings_digest
from imgd.errors import ConfigError

Write = Callable[[str], Path]


@dataclass(frozen=True)
class ToySettings:
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    threads: int = 0

    def __post_init__(self) -> None:
        if self.threads == 13:
            raise ValueError("`threads` must not be 13")


@dataclass(frozen=True)
class InnerSettings:
    edge: int


@dataclass(frozen=True)
class OddSettings:
    mode: str = "plain"
    size: int | Path | InnerSettings = 0
    inner: InnerSettings = field(default_factory=lambda: InnerSettings(1))

    def __post_init__(self) -> None:
        if self.mode == "fancy":
            raise KeyError(self.mode)


def toy_schemas(_settings: Settings) -> KnownAnalyzers:
    return KnownAnalyzers({"toy": ToySettings, "bare": None}, searchable=frozenset(["toy"]))


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "imgd.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, toy_schemas)
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_means_all_defaults(written: Write) -> None:
    path = written("")
    settings = load(path, toy_schemas)
    assert settings.watch == config.WatchSettings()
    assert settings.roots == ()
    assert settings.source == path
    assert settings.analyzers == {"toy": ToySettings(), "bare": None}


def test_every_error_is_reported_at_once_with_its_line(written: Write) -> None:
    path = written(
        """\
rots = ["/photos"]

[watch]
settle_s = -1
hiden = true

[log]
level = "inf"

[decode]
timeout_s = "long"

[lanes]
devices = ["gpu0"]

[analyzers.toi]
threshold = 0.2

[analyzers.toy]
threshold = 2

[analyzers.bare]
speed = 1
"""
    )
    found = problems(path)
    assert "line 1: rots: unknown key; did you mean `roots`?" in found
    assert any(line.startswith("line 4: watch.settle_s: expected `float` >= 0") for line in found)
    assert "line 5: watch.hiden: unknown key; did you mean `hidden`?" in found
    assert any(
        line.startswith("line 8: log.level:")
        and "allowed are `debug`, `info`, `warning`, `error`; did you mean `info`?" in line
        for line in found
    )
    assert any(line.startswith("line 11: decode.timeout_s: expected `float`, got `str`") for line in found)
    assert "line 14: lanes.devices: allowed are `auto`, `cpu`, `cuda:0`, `cuda:1`, ..." in found
    assert "line 16: analyzers.toi: no analyzer has this name; did you mean `toy`?" in found
    assert any(line.startswith("line 20: analyzers.toy.threshold: expected `float` <= 1") for line in found)
    assert any(line.startswith("line 23: analyzers.bare.speed: unknown key") for line in found)
    assert len(found) == 9


def test_the_report_names_the_file_every_problem_and_what_to_do(written: Write) -> None:
    path = written("[watch]\nsettle = 1\n[index]\nidle = 1\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    text = str(caught.value)
    assert text.splitlines()[0] == f"The configuration cannot be used: {path}"
    assert "watch.settle: unknown key; did you mean `settle_s`?" in text
    assert "index.idle: unknown key; did you mean `idle_s`?" in text
    assert "imgd.toml.example" in caught.value.advice


def test_a_key_that_resembles_nothing_is_answered_with_all_that_are_allowed(written: Write) -> None:
    (problem,) = problems(written("[search]\nxyzzy = 1\n"))
    assert problem == "line 2: search.xyzzy: unknown key; allowed are `limit`, `meaning`, `warm`"


def test_a_table_where_a_value_is_meant_and_the_reverse_are_told_apart(written: Write) -> None:
    found = problems(written("watch = 3\nanalyzers = 4\n[roots]\n"))
    assert "line 1: watch: expected a table [watch], got an integer" in found
    assert "line 2: analyzers: expected tables such as [analyzers.technical]" in found
    assert any(line.startswith("line 3: roots: expected `array`") for line in found)


def test_what_is_no_toml_is_told_with_its_place(written: Write) -> None:
    (problem,) = problems(written("[watch]\nhidden = yes\n"))
    assert "is not valid TOML" in problem
    assert "line 2" in problem


def test_a_missing_file_says_which_command_writes_one(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "imgd.toml")
    assert "`imgd init FOLDER` writes one" in problem


def test_a_file_in_another_encoding_is_refused_plainly(tmp_path: Path) -> None:
    path = tmp_path / "imgd.toml"
    path.write_bytes('roots = ["/Bilder/Z\xfcrich"]\n'.encode("latin-1"))
    (problem,) = problems(path)
    assert "cannot be read" in problem


def test_relative_paths_are_relative_to_the_file_and_a_tilde_is_the_home(
    written: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.chdir("/")
    settings = load(written('roots = ["photos", "~/Pictures", "/mnt/../srv"]\n[paths]\nstate_dir = "../state"\n'))
    assert settings.roots == (tmp_path / "photos", Path("/home/anna/Pictures"), Path("/srv"))
    assert settings.paths.state_dir == tmp_path.parent / "state"
    assert settings.database == tmp_path.parent / "state" / "library.db"


@pytest.mark.parametrize("roots", [("/a", "/a/b"), ("/a/b/c", "/a"), ("/a", "/a/."), ("/a/x/../b", "/a/b")])
def test_overlapping_roots_are_refused(written: Write, roots: tuple[str, str]) -> None:
    (problem,) = problems(written(f"roots = {list(roots)!r}\n"))
    assert problem.startswith("line 1: roots: ")
    assert "overlap; keep the outer one" in problem


def test_roots_that_only_begin_alike_do_not_overlap(written: Write) -> None:
    assert len(load(written('roots = ["/a/b", "/a/bc", "/a/c"]\n')).roots) == 3


def test_an_analyzers_section_is_typed_and_can_switch_it_off(written: Write) -> None:
    path = written('[analyzers.toy]\nrun = "off"\nthreshold = 0.9\n[analyzers.bare]\nrun = "request"\n')
    settings = load(path, toy_schemas)
    assert settings.analyzers["toy"] == ToySettings(threshold=0.9)
    assert settings.run_modes == {"toy": "off", "bare": "request"}


def test_an_analyzer_runs_always_where_nothing_else_is_said(written: Write) -> None:
    assert set(load(written("[analyzers.toy]\n"), toy_schemas).run_modes.values()) == {"always"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("enabled = false", 'line 2: analyzers.bare.enabled: is not known any more; write run = "off"'),
        (
            "enabled = true",
            'line 2: analyzers.bare.enabled: is not known any more; leave it out, or write run = "always"',
        ),
    ],
)
def test_the_switch_of_old_says_what_to_write_instead(written: Write, line: str, expected: str) -> None:
    assert problems(written(f"[analyzers.bare]\n{line}\n")) == [expected]


def test_an_unknown_run_mode_names_the_known_ones(written: Write) -> None:
    (problem,) = problems(written('[analyzers.bare]\nrun = "requests"\n'))
    assert problem.startswith("line 2: analyzers.bare.run: ")
    assert problem.endswith("allowed are `always`, `idle`, `request`, `off`; did you mean `request`?")


def test_what_an_analyzers_own_check_refuses_is_told_like_the_rest(written: Write) -> None:
    (problem,) = problems(written("[analyzers.toy]\nthreads = 13\n"))
    assert problem == "line 1: analyzers.toy: `threads` must not be 13"


def test_whatever_an_analyzers_schema_raises_is_told_like_the_rest(written: Write) -> None:
    path = written('[analyzers.odd]\nmode = "fancy"\nsize = 3\n[analyzers.odd.inner]\n')
    with pytest.raises(ConfigError) as caught:
        load(path, lambda _settings: KnownAnalyzers({"odd": OddSettings}))
    found = [str(problem) for problem in caught.value.problems]
    assert "line 1: analyzers.odd: 'fancy'" in found
    assert any(each.startswith("line 3: analyzers.odd.size: cannot be set: Type unions") for each in found)
    assert any(each.startswith("line 4: analyzers.odd.inner: ") and "'edge'" in each for each in found)


def test_a_section_that_may_be_an_absent_plugins_is_passed_over_with_a_warning(
    written: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = written("[analyzers.toi]\nof = 1\n[analyzers.toy]\nthreshold = 0.9\n")
    settings = load(path, lambda each: KnownAnalyzers(toy_schemas(each).schemas, complete=False))
    assert settings.analyzers == {"toy": ToySettings(threshold=0.9), "bare": None}
    (warning,) = caplog.messages
    assert "[analyzers.toi] is passed over: no analyzer has this name; did you mean `toy`?" in warning
    assert problems(path) == ["line 1: analyzers.toi: no analyzer has this name; did you mean `toy`?"]


def test_sections_of_analyzers_are_not_looked_at_where_nobody_knows_them(written: Write) -> None:
    assert load(written("[analyzers.unheard]\nof = 1\n")).analyzers == {}


def test_quoted_and_dotted_keys_have_lines_too(written: Write) -> None:
    found = problems(written('watch.settle_s = -1\n\n["log"]\n"level" = "loud"\n'))
    assert found[0].startswith("line 1: watch.settle_s:")
    assert found[1].startswith("line 4: log.level:")


def test_a_digest_changes_with_settings_that_change_findings_and_with_no_others() -> None:
    plain = settings_digest(ToySettings())
    assert settings_digest(ToySettings(threshold=0.6)) != plain
    assert settings_digest(ToySettings(threads=4), frozenset({"threads"})) == settings_digest(
        ToySettings(), frozenset({"threads"})
    )
    assert settings_digest(None) == settings_digest(None)


def test_the_file_is_found_by_imgd_config_or_in_the_users_configuration_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMGD_CONFIG", "~/elsewhere.toml")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config.default_config_path() == tmp_path / "elsewhere.toml"
    monkeypatch.delenv("IMGD_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    assert config.default_config_path() == tmp_path / "conf" / "imgd" / "imgd.toml"


def test_directories_follow_xdg_and_the_socket_has_a_private_place_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATA", "CACHE", "RUNTIME"):
        monkeypatch.setenv(f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}", str(tmp_path / name.lower()))
    paths = config.PathSettings()
    assert paths.state_dir == tmp_path / "data" / "imgd"
    assert paths.models_dir == tmp_path / "data" / "imgd" / "models"
    assert paths.cache_dir == tmp_path / "cache" / "imgd"
    assert paths.socket == tmp_path / "runtime" / "imgd" / "imgd.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert config.PathSettings().socket == tmp_path / "cache" / "imgd" / "run" / "imgd.sock"


def test_the_analyzers_whose_spaces_answer_are_named_each_once(written: Write) -> None:
    assert load(written("[search]\nmeaning = ['toy', 'toy']"), toy_schemas).search.meaning == ("toy",)
    assert load(written("[search]\nmeaning = []"), toy_schemas).search.meaning == ()


def test_every_analyzer_that_cannot_answer_is_told_at_once(written: Write) -> None:
    path = written("[search]\nmeaning = ['toi', 'bare', 'toy']\n[analyzers.toys]\n")
    with pytest.raises(ConfigError) as caught:
        load(path, toy_schemas)
    assert [str(each) for each in caught.value.problems] == [
        "line 3: analyzers.toys: no analyzer has this name; did you mean `toy`?",
        "line 2: search.meaning: `toi` is no analyzer; did you mean `toy`?",
        "line 2: search.meaning: the analyzer `bare` fills no space; allowed are `toy`",
    ]


def test_the_spaces_of_an_absent_plugin_are_passed_over_but_not_those_that_never_are(
    written: Write, caplog: pytest.LogCaptureFixture
) -> None:
    def partly(_settings: Settings) -> KnownAnalyzers:
        return KnownAnalyzers({"toy": None, "bare": None}, complete=False, searchable=frozenset(["toy"]))

    settings = load(written("[search]\nmeaning = ['clip', 'toy']"), partly)
    assert settings.search.meaning == ("toy",)
    assert "search.meaning: clip is passed over: `clip` is no analyzer" in caplog.text
    with pytest.raises(ConfigError, match="`bare` fills no space"):
        load(written("[search]\nmeaning = ['bare']"), partly)
