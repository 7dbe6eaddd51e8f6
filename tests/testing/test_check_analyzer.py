"""What `check_analyzer` asks of an analyzer: for each rule a toy that breaks this one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rule_breakers import (
    Abbreviating,
    Ahead,
    Calling,
    Changed,
    Clinging,
    Counting,
    Crashing,
    Demanding,
    DemandingBySettings,
    ElsewhereIndeed,
    Exiting,
    Forgetful,
    ForgetfulInBatches,
    Good,
    Hanging,
    HeavyInBatches,
    HeavyToLoad,
    Honest,
    Keeping,
    Larger,
    Leaking,
    Leaving,
    LoadedOnce,
    MindfulOfItsBatch,
    MindfulOfItsFirst,
    Nameless,
    NotANumber,
    OfTheWrongType,
    OneAtATime,
    Opening,
    Raising,
    Scribbling,
    ScribblingByForce,
    ShapedOddly,
    Sorting,
    Talkative,
    ToySettings,
    Unconfigurable,
    Undecided,
    Unloadable,
    Withholding,
)

from imgd import Analyzer, Failure
from imgd.analyzers.metadata import Metadata
from imgd.analyzers.preview import Preview
from imgd.analyzers.technical import Technical
from imgd.domain import StoredFinding
from imgd.testing import ConformanceError, apart, awkward_photos, check_analyzer, make_photo


def test_an_analyzer_that_keeps_the_contract_passes_and_its_findings_are_returned() -> None:
    outcomes = check_analyzer(Good)
    assert outcomes["a photo of one pixel"] == Failure("too small to say anything of")
    white = outcomes["a white photo"]
    assert isinstance(white, StoredFinding)
    assert white.facts == {"brightness": 256.0}
    assert outcomes == check_analyzer(Good, timeout_s=None)


def test_settings_and_photos_of_ones_own_are_used() -> None:
    photo = make_photo(Good, np.full((10, 20, 3), 9, np.uint8))
    mine = check_analyzer(Good, settings=ToySettings(scale=2.0), photos={"mine": photo})["mine"]
    assert isinstance(mine, StoredFinding)
    assert mine.facts == {"brightness": 20.0}


def test_photos_are_as_large_as_settings_make_it_need_them() -> None:
    outcome = check_analyzer(Larger, timeout_s=None)["a photo larger than it needs"]
    assert isinstance(outcome, StoredFinding)
    assert outcome.facts == {"brightness": 96.0}


@pytest.mark.parametrize("analyzer", [Ahead, Honest])
def test_an_analyzer_that_begins_ahead_or_takes_what_it_declares_passes(analyzer: type[Analyzer[Any]]) -> None:
    assert check_analyzer(analyzer)


BROKEN_RULES = [
    (Raising, "it raises IndexError"),
    (Exiting, "it raises SystemExit: I have had enough"),
    (Counting, "another finding the second time: brightness 0 10"),
    (MindfulOfItsBatch, "another finding in a batch than alone"),
    (MindfulOfItsFirst, "another finding in a batch than alone"),
    (Forgetful, "0 answers for 1 photos"),
    (ForgetfulInBatches, "a batch of 4 photos: 3 answers for 4 photos"),
    (OfTheWrongType, "fact brightness was declared float and is 'very'"),
    (NotANumber, "a vector of space toy holds NaN, infinity, or only zeros"),
    (ShapedOddly, "a vector of space toy has shape (2, 2), not (d,)"),
    (Abbreviating, "no photo has these facts, which are declared: bright;"),
    (Withholding, "no photo has these facts, which are declared: contrast;"),
    (Talkative, "no search can filter by these numbers: contrast;"),
    (Scribbling, "it raises ValueError: assignment destination is read-only"),
    (ScribblingByForce, "it writes into the photo's pixels"),
    (Sorting, "it changes the list of photos that it is given"),
    (Keeping, "it keeps a photo's pixels after the call"),
    (Opening, "it opens the photo's file (a black photo, "),
    (Calling, "it asks the network for 127.0.0.1:9"),
    (Unloadable, "it cannot be loaded: ImportError: no such library"),
    (LoadedOnce, "after close(), it cannot be loaded: RuntimeError: the device is taken"),
    (Changed, "another finding after close() and load(): brightness 1.0 2.0"),
    (Clinging, "close() raises OSError: the device is busy"),
    (Nameless, "needs a `name`"),
    (Demanding, "it requires a-model: give their directories as `model_dirs`"),
    (DemandingBySettings, "it requires a-small-model: give their directories"),
    (Undecided, "configured() says something else the second time"),
    (Unconfigurable, "configured() raises KeyError: 'small'"),
    (OneAtATime, "another finding from begin() and finish() than from analyze()"),
    (ElsewhereIndeed, "is not this class: workers, which look for it by that name"),
]


@pytest.mark.parametrize(("analyzer", "problem"), BROKEN_RULES, ids=lambda each: getattr(each, "__name__", ""))
def test_what_an_analyzer_does_not_keep_is_named(analyzer: type[Analyzer[Any]], problem: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_analyzer(analyzer, timeout_s=None)
    told = [each for each in caught.value.problems if problem in each]
    assert told, str(caught.value)
    consequences = ("it fails at every photo", "another finding", "answers for")
    assert [each for each in caught.value.problems if each not in told and not _is_any(each, consequences)] == []
    assert "writing-plugins" in caught.value.advice


def _is_any(problem: str, parts: Sequence[str]) -> bool:
    return any(part in problem for part in parts)


@pytest.mark.parametrize(
    ("analyzer", "problem"),
    [
        (Crashing, "its process was killed by signal 11 at: a photo of one pixel; the last that it said:"),
        (Leaving, "its process ended with status 0 at: load"),
        (Leaking, "and goes on growing: it leaks"),
        (HeavyToLoad, "MB when it is loaded, and `memory_mb` says 20"),
        (HeavyInBatches, "each photo of a batch takes 2"),
    ],
)
def test_what_would_harm_the_test_run_is_told_all_the_same(analyzer: type[Analyzer[Any]], problem: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_analyzer(analyzer, timeout_s=60)
    (told,) = caught.value.problems
    assert problem in told


def test_a_process_that_is_killed_leaves_no_files_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(ConformanceError):
        check_analyzer(Crashing)
    assert list(tmp_path.iterdir()) == []


def test_a_hang_is_told_with_the_photo_and_the_line_where_it_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, wait = tmp_path / "pipe", apart._await
    os.mkfifo(pipe)
    monkeypatch.setenv("TELLS_THAT_IT_WAITS", str(pipe))

    def wait_until_it_hangs(process: subprocess.Popen[bytes], _timeout_s: float) -> int | None:
        pipe.open().close()
        return wait(process, 0.1)

    monkeypatch.setattr(apart, "_STACK_S", 60.0)
    monkeypatch.setattr(apart, "_await", wait_until_it_hangs)
    with pytest.raises(ConformanceError) as caught:
        check_analyzer(Hanging, timeout_s=600)
    (told,) = caught.value.problems
    assert "its process took longer than 600 s at: a photo of its full size; the last that it said:" in told
    assert re.search(r"rule_breakers\.py.+in descend", told)
    assert "threading.py" in told.splitlines()[3]


def test_a_module_that_imports_what_is_heavy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cv2.py").write_text("")
    (tmp_path / "heavy_toy.py").write_text(
        "import cv2\nfrom imgd import Analyzer, Finding\n\n\nclass Heavy(Analyzer):\n    name = 'heavy'\n"
        "    version = '1'\n\n    def analyze(self, photos):\n        return [Finding() for _ in photos]\n"
    )
    monkeypatch.setattr(sys, "modules", {k: v for k, v in sys.modules.items() if k.partition(".")[0] != "cv2"})
    monkeypatch.syspath_prepend(str(tmp_path))
    import heavy_toy  # type: ignore[import-not-found]

    with pytest.raises(ConformanceError) as caught:
        check_analyzer(heavy_toy.Heavy)
    assert caught.value.problems == (
        "its module imports cv2, and the main process with it: import that in `load`",
    )


def test_facts_that_are_rare_or_only_shown_are_named_by_the_author() -> None:
    assert check_analyzer(Withholding, rare_facts=["contrast"], timeout_s=None)
    assert check_analyzer(Talkative, shown_facts=["contrast"], timeout_s=None)


def test_a_class_that_workers_cannot_import_is_refused() -> None:
    class Hidden(Good):
        name = "hidden"

    with pytest.raises(ConformanceError, match="inside a function"):
        check_analyzer(Hidden)


def test_photos_come_at_the_analyzers_own_size_and_read_only() -> None:
    photos = awkward_photos(Good)
    assert {max(photo.image.shape[:2]) for photo in photos.values()} == {64, 32, 40, 3, 1}
    assert not any(photo.image.flags.writeable or photo.data for photo in photos.values())
    assert awkward_photos(Metadata)["a panorama"].pixels is None
    assert awkward_photos(Metadata)["a panorama"].data.startswith(b"\xff\xd8")
    assert awkward_photos(Metadata)["an empty file"].data == b""


def test_the_built_in_analyzers_keep_the_contract(tmp_path: Path) -> None:
    rare = set(Metadata.facts) - {"width", "height", "megapixels"}
    assert check_analyzer(Metadata, cache_dir=tmp_path, rare_facts=rare)
    assert check_analyzer(Technical, shown_facts=["tonal_range"])
    outcomes = check_analyzer(Preview, cache_dir=tmp_path, shown_facts=["width", "height", "bytes"])
    assert all(isinstance(outcome, StoredFinding) for outcome in outcomes.values())
