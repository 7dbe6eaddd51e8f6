"""Absent models and broken plugins cost nothing but their own findings, and are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from daemon_process import daemon, write_plugin
from sample_photos import make_photo


def test_an_analyzer_without_its_model_waits_and_the_others_finish() -> None:
    pytest.importorskip("imgd_concepts.plugin", reason="the plugin imgd-concepts is not installed")
    with daemon(plugins="concepts") as library:
        make_photo(library.root / "photo.jpg", 1, keyword="patience")
        library.start()
        answer = library.wait()
        assert "concepts" in answer.err
        assert "imgctl models pull" in answer.err
        assert library.found("patience") == ["photo.jpg"]
        states = {each["name"]: each for each in library.ctl("analyzers", "--json").lines}
        assert states["concepts"]["state"] == "waiting for model"
        assert "imgctl models pull" in states["concepts"]["advice"]
        assert states["technical"]["state"] == "ready"
        assert library.failed() == {}
        assert library.show(library.root / "photo.jpg")["jobs"][0]["state"] == "owed"


def test_a_plugin_that_is_wanted_and_not_there_is_a_fault_and_is_logged() -> None:
    with daemon(plugins="nope") as library:
        library.start()
        assert "plugin nope: IMGD_PLUGINS names it, and no plugin of that name is installed" in library.faults()
        assert "the plugin nope does not work: IMGD_PLUGINS names it" in library.said
        assert library.ctl("analyzers", "nope").code == 2


_ANALYZER = """
from imgd import Analyzer, hookimpl

class Odd(Analyzer):
    name = 'odd'
    version = '1'
    {declares}

    def analyze(self, photos):
        return []

@hookimpl
def imgd_analyzers(settings):
    return [Odd]
"""

_FORMAT = """
from imgd import ImageFormat, hookimpl

class Dots(ImageFormat):
    name = 'dots'
    extensions = ('.dots',)
    {also}

    def matches(self, data, name):
        return {answer}

    def decode(self, data, edge_px, max_pixels):
        return None

@hookimpl
def imgd_decoders():
    return [Dots]
"""

_BROKEN_PLUGINS = {
    "import_error": ("import no_such_library\n", "no_such_library"),
    "raising_hook": (
        "from imgd import hookimpl\n\n@hookimpl\ndef imgd_analyzers():\n    raise OSError('it is broken')\n",
        "it is broken",
    ),
    "nameless": (
        (
            "from imgd import Analyzer, hookimpl\n\n"
            "class Nameless(Analyzer):\n    version = '1'\n\n    def analyze(self, photos):\n        return []\n\n"
            "@hookimpl\ndef imgd_analyzers(settings):\n    return [Nameless]\n"
        ),
        "needs a `name`",
    ),
    "odd_facts": (_ANALYZER.format(declares="facts = ['x']"), "`facts` must map keys"),
    "no_default": (
        "import dataclasses\n\n@dataclasses.dataclass(frozen=True)\nclass Schema:\n    edge: int\n\n"
        + _ANALYZER.format(declares="settings_type = Schema"),
        "with a default for every field",
    ),
    "circle": (_ANALYZER.format(declares="after = ('odd',)"), "odd after odd"),
    "no_space": (
        (
            "from imgd import QueryEncoder, hookimpl\n\nclass Spaceless(QueryEncoder):\n    pass\n\n"
            "@hookimpl\ndef imgd_query_encoders(settings):\n    return [Spaceless]\n"
        ),
        "needs the `space`",
    ),
    "no_model": (
        "from imgd import hookimpl\n\n@hookimpl\ndef imgd_models():\n    return ['a name']\n",
        "not an imgd.Model",
    ),
    "not_made": (
        _FORMAT.format(also="def __init__(self):\n        raise OSError('no codec here')", answer="False"),
        "no codec here",
    ),
}


@pytest.mark.parametrize("kind", _BROKEN_PLUGINS)
def test_a_broken_plugin_is_named_and_the_daemon_runs(kind: str, tmp_path: Path) -> None:
    source, said = _BROKEN_PLUGINS[kind]
    folder = write_plugin(tmp_path / "site", kind, source)
    with daemon(plugins=kind, python_path=[folder]) as library:
        make_photo(library.root / "photo.jpg", 1, keyword="anyway")
        library.start()
        library.wait()
        assert library.found("anyway") == ["photo.jpg"]
        assert kind in library.faults()
        assert said in library.faults()
        (broken,) = [each for each in library.ctl("analyzers", "--json").lines if each.get("error")]
        assert broken["name"] == kind
        assert said in broken["error"]


def test_an_analyzer_that_cannot_be_loaded_is_broken_and_its_jobs_stay_owed(tmp_path: Path) -> None:
    source = (
        "from imgd import Analyzer, Needs, hookimpl\n\n"
        "class Unloadable(Analyzer):\n    name = 'unloadable'\n    version = '1'\n    needs = Needs(edge=64)\n\n"
        "    def load(self, device):\n        import no_such_library\n\n"
        "    def analyze(self, photos):\n        return []\n\n"
        "@hookimpl\ndef imgd_analyzers(settings):\n    return [Unloadable]\n"
    )
    folder = write_plugin(tmp_path / "site", "unloadable", source)
    with daemon(plugins="unloadable", python_path=[folder]) as library:
        photo = make_photo(library.root / "photo.jpg", 1)
        library.start()
        answer = library.wait()
        assert "unloadable: broken" in answer.err
        assert "no_such_library" in answer.err
        assert set(library.findings(photo)) == {"metadata", "preview", "technical"}
        assert [job["state"] for job in library.show(photo)["jobs"]] == ["owed"]


def test_a_broken_or_absent_plugins_section_does_not_keep_the_daemon_from_running(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path / "site", "import_error", "import no_such_library\n")
    for plugins in ("import_error", ""):
        with daemon(plugins=plugins, python_path=[folder]) as library:
            library.configure(analyzers={"odd": {"threshold": 3}})
            library.start()
            assert library.ctl("status").code == 0
            assert "[analyzers.odd] is passed over: no analyzer has this name" in library.log.read_text()


def test_a_format_that_raises_when_asked_costs_no_photo_of_another(tmp_path: Path) -> None:
    source = _FORMAT.format(also="", answer="data.startswith(b'DOTS') or 1 / 0")
    folder = write_plugin(tmp_path / "site", "jumpy", source)
    with daemon(plugins="jumpy", python_path=[folder]) as library:
        make_photo(library.root / "photo.jpg", 1, keyword="anyway")
        (library.root / "photo.dots").write_bytes(b"DOTS")
        library.start()
        library.wait()
        assert library.found("anyway") == ["photo.jpg"]
        assert "image format dots: matches() raised ZeroDivisionError" in library.log.read_text()
        failed = library.failed()
        assert {path for path, _ in failed} == {str(library.root / "photo.dots")}
        assert "the image format dots returned NoneType, not a Picture" in " ".join(failed.values())


def test_a_format_that_only_workers_cannot_import_is_left_out_there(tmp_path: Path) -> None:
    # The first to import it is the main process; whoever comes later fails.
    seen = tmp_path / "seen"
    source = (
        f"import pathlib\n\nseen = pathlib.Path({str(seen)!r})\nif seen.exists():\n    import no_such_library\n"
    )
    source += "seen.touch()\n"
    folder = write_plugin(tmp_path / "site", "elsewhere", source + _FORMAT.format(also="", answer="False"))
    with daemon(plugins="elsewhere", python_path=[folder]) as library:
        make_photo(library.root / "photo.jpg", 1, keyword="anyway")
        library.start()
        library.wait()
        assert seen.exists()
        assert library.found("anyway") == ["photo.jpg"]
        assert "plugin_elsewhere.Dots is left out: ModuleNotFoundError" in library.log.read_text()


_WORKING = """
import os
import signal
import threading

from imgd import Analyzer, Device, Finding, Needs, hookimpl


class Odd(Analyzer):
    name = "odd"
    version = "1"
    needs = Needs(edge=64)
    {declares}

    def analyze(self, photos):
        {does}


@hookimpl
def imgd_analyzers(settings):
    return [Odd]
"""


_HANGING = """
import os
import pathlib
import sys
import threading
import time

HUNG = pathlib.Path({folder!r})


def hang():
    (HUNG / str(os.getpid())).touch()
    threading.Event().wait()


class Clock:
    # Each worker that hangs makes it 600 s later at once, and nothing else does.
    @staticmethod
    def monotonic():
        return time.monotonic() + 600.0 * len(os.listdir(HUNG))


if "imgd.pipeline.pool" in sys.modules:  # of all processes, in the main one
    sys.modules["imgd.pipeline.pool"].time = Clock
"""


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by signal 11 at 3 photos in a row"),
        ("hang()", "took longer than 600 s at 3 photos in a row"),
        ("os._exit(0)", "ended with status 0 at 3 photos in a row"),
    ],
)
def test_an_inline_analyzer_that_ends_its_worker_at_every_photo_is_set_aside_and_the_others_finish(
    does: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "hung").mkdir()
    source = _HANGING.format(folder=str(tmp_path / "hung")) + _WORKING.format(declares="", does=does)
    folder = write_plugin(tmp_path / "site", "odd", source)
    with daemon(plugins="odd", python_path=[folder]) as library:
        photos = [make_photo(library.root / f"{number}.jpg", number, keyword="anyway") for number in range(8)]
        library.configure(decode={"timeout_s": 600.0}, pipeline={"workers": 1})
        library.start()
        answer = library.wait()
        assert len(library.found("anyway")) == len(photos)
        assert said in answer.err
        states = {each["name"]: each for each in library.ctl("analyzers", "--json").lines}
        assert states["odd"]["state"] == "broken"
        assert said in states["odd"]["advice"]
        assert {analyzer for _, analyzer in library.failed()} <= {"odd"}
        for photo in photos:
            assert set(library.findings(photo)) == {"metadata", "preview", "technical"}


def test_an_inline_analyzer_that_ends_its_worker_at_one_photo_fails_there_alone(tmp_path: Path) -> None:
    does = "[os.kill(os.getpid(), signal.SIGSEGV) for each in photos if 'bad' in each.path]; return [Finding()]"
    folder = write_plugin(tmp_path / "site", "odd", _WORKING.format(declares="", does=does))
    with daemon(plugins="odd", python_path=[folder]) as library:
        photos = [make_photo(library.root / f"{name}.jpg", n) for n, name in enumerate(("bad", "b", "c", "d"))]
        library.start()
        library.wait()
        assert library.failed() == {(str(photos[0]), "odd"): "analyzer odd: the worker was killed by signal 11"}
        assert set(library.findings(photos[0])) == {"metadata", "preview", "technical"}
        assert set(library.findings(photos[1])) == {"metadata", "preview", "technical", "odd"}


def test_a_leaking_inline_analyzer_is_named_and_nobody_runs_out_of_memory(tmp_path: Path) -> None:
    does = "kept.extend(bytes(40 << 20) for each in photos); return [Finding()]"
    source = "kept = []\n" + _WORKING.format(declares="", does=does)
    folder = write_plugin(tmp_path / "site", "odd", source)
    with daemon(plugins="odd", python_path=[folder]) as library:
        for number in range(30):
            make_photo(library.root / f"{number}.jpg", number)
        library.configure(decode={"memory_mb": 512})
        library.start()
        library.wait()
        assert library.failed() == {}
        assert library.rows("SELECT COUNT(*) FROM findings") == [(4 * 30,)]
        assert "analyzer odd: it leaks: its process grew by" in library.faults()


def test_what_an_analyzer_prints_without_end_fills_no_disk(tmp_path: Path) -> None:
    folder = write_plugin(
        tmp_path / "site",
        "odd",
        _WORKING.format(declares="", does="print('I am here! ' * 100_000); return [Finding()]"),
    )
    with daemon(plugins="odd", python_path=[folder]) as library:
        for number in range(12):
            make_photo(library.root / f"{number}.jpg", number)
        library.start()
        library.wait()
        assert library.failed() == {}
        assert re.search(r"imgd-worker\d prints too much", library.said)
        assert 100_000 < library.log.stat().st_size < 1_500_000


def test_an_analyzer_that_writes_into_pixels_by_force_ends_its_lane_and_is_set_aside(
    tmp_path: Path,
) -> None:
    does = "import ctypes; [ctypes.memset(each.image.ctypes.data, 7, 9) for each in photos]; return [Finding()]"
    folder = write_plugin(tmp_path / "site", "odd", _WORKING.format(declares="device = Device.MODEL", does=does))
    with daemon(plugins="odd", python_path=[folder]) as library:
        for number in range(4):
            make_photo(library.root / f"{number}.jpg", number)
        library.start()
        assert "odd was killed by signal 11 at 3 photos in a row" in library.wait().err


@pytest.mark.parametrize("hook", ["import_", "call"])
def test_a_plugin_that_keeps_the_main_process_or_leaves_it_is_left_out(hook: str, tmp_path: Path) -> None:
    where = {"import_": "sys.exit('no')\n", "call": ""}[hook]
    inside = {"import_": "return []", "call": "sys.exit('no')"}[hook]
    source = f"import sys\nfrom imgd import hookimpl\n{where}@hookimpl\ndef imgd_analyzers():\n    {inside}\n"
    folder = write_plugin(tmp_path / "site", "leaving", source)
    with daemon(plugins="leaving", python_path=[folder]) as library:
        library.start()
        assert "SystemExit: no" in library.faults()


def test_a_plugin_whose_import_never_ends_is_left_out(tmp_path: Path) -> None:
    # The limit is shorter here: the module sets it before it hangs, as nobody would wait for the real one.
    source = (
        "import signal\nimport threading\n\nassert signal.getitimer(signal.ITIMER_REAL)[0] > 20\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.5)\nthreading.Event().wait()\n"
    )
    folder = write_plugin(tmp_path / "site", "endless", source)
    with daemon(plugins="endless", python_path=[folder]) as library:
        make_photo(library.root / "photo.jpg", 1, keyword="anyway")
        library.start()
        library.wait()
        assert library.found("anyway") == ["photo.jpg"]
        assert "it is left out: it took longer than 30 s" in library.faults()
