"""Run modes, analysis on request and re-analysis, with a real daemon and a toy analyzer of each mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon, write_plugin
from sample_photos import make_photo

_TOYS = '''
from dataclasses import dataclass
from imgd import Analyzer, Finding, Needs, Text, hookimpl


@dataclass(frozen=True)
class Settings:
    word: str = "first"


class Words(Analyzer[Settings]):
    """Says the word of its settings."""

    name = "words"
    version = "1"
    needs = Needs(edge=64)
    settings_type = Settings

    def analyze(self, photos):
        word = self.settings.word
        return [Finding(texts=[Text("caption", word)], facts={"word": word}) for _ in photos]


class Echo(Analyzer[None]):
    """Says what words said."""

    name = "echo"
    version = "1"
    after = ("words",)

    def analyze(self, photos):
        heard = [photo.findings["words"].facts["word"] if "words" in photo.findings else "" for photo in photos]
        return [Finding(facts={"heard": each}) for each in heard]


@hookimpl
def imgd_analyzers(settings):
    return [Words, Echo]
'''
COUNT = 6


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "plugins", "toys", _TOYS)


@pytest.fixture
def library(toys: Path) -> Iterator[Daemon]:
    with daemon(plugins="toys", python_path=[toys]) as made:
        for number in range(COUNT):
            make_photo(made.root / "trip" / f"{number}.jpg", number, size=(320, 240))
        yield made


def queue(library: Daemon, analyzer: str = "words") -> dict[str, object]:
    (entry,) = (each for each in library.status()["queue"] if each["analyzer"] == analyzer)
    return {key: entry[key] for key in ("run", "done", "owed", "failed")}


_FINDINGS = "FROM findings JOIN analyzers ON analyzers.id = analyzer_id"


def heard(library: Daemon) -> list[str]:
    return [word for (word,) in library.rows(f"SELECT facts ->> 'heard' {_FINDINGS} WHERE name = 'echo'")]


def analyzed_at(library: Daemon) -> list[float]:
    return [at for (at,) in library.rows(f"SELECT analyzed_at {_FINDINGS} WHERE name = 'words'")]


def ask_for_two(library: Daemon) -> None:
    """Let `words`, which runs on request, look at the first two photos."""
    library.configure(analyzers={"words": {"run": "request"}})
    library.start()
    library.wait()
    library.ctl("analyze", "words", str(library.root / "trip" / "0.jpg"), str(library.root / "trip" / "1.jpg"))
    library.wait()


def test_on_request_nothing_is_pending_until_it_is_asked_for(library: Daemon) -> None:
    library.configure(analyzers={"words": {"run": "request"}})
    library.start()
    library.wait()
    assert queue(library) == {"run": "request", "done": 0, "owed": 0, "failed": 0}
    assert heard(library) == [""] * COUNT, "who reads it does not wait"
    photo = library.root / "trip" / "0.jpg"
    answer = library.ctl("analyze", "words", str(photo))
    assert (answer.code, answer.out) == (0, "1 photo of 1 in the queue of words.\n")
    library.wait()
    library.until(lambda: queue(library)["done"] == 1)
    assert library.findings(photo)["echo"]["facts"] == {"heard": "first"}, "who reads it reads it anew"
    assert library.found("first") == ["0.jpg"]
    assert library.ctl("analyze", "words", str(photo)).out == "0 photos of 1 in the queue of words.\n"
    assert library.ctl("analyze", "words", str(library.root / "trip")).out.startswith("5 photos of 6 ")
    library.wait()
    library.until(lambda: queue(library)["done"] == COUNT)
    assert heard(library) == ["first"] * COUNT


def test_on_request_a_query_names_photos_and_all_means_all(library: Daemon) -> None:
    library.configure(analyzers={"words": {"run": "request"}})
    library.start()
    library.wait()
    assert library.ctl("analyze", "words", "path:1.jpg").out == "1 photo of 1 in the queue of words.\n"
    library.wait()
    assert library.ctl("analyze", "words", "--all").out == "5 photos of 6 in the queue of words.\n"
    library.wait()
    library.until(lambda: queue(library)["done"] == COUNT)
    for command in (["analyze", "nobody", "--all"], ["reanalyze", "nobody"], ["retry", "--analyzer", "nobody"]):
        wrong = library.ctl(*command)
        assert "no analyzer is called nobody" in wrong.err
        assert wrong.code == 2
    assert library.ctl("analyze", "words").code == 2


def test_what_cannot_look_at_photos_says_so_when_it_is_asked_for(tmp_path: Path) -> None:
    source = _TOYS.replace("needs = Needs(edge=64)", 'packages = {"no_such_module": "toys[extra]"}')
    folder = write_plugin(tmp_path / "plugins", "toys", source)
    with daemon(plugins="toys", python_path=[folder]) as library:
        make_photo(library.root / "0.jpg", 0, size=(320, 240))
        library.start()
        library.wait()
        answer = library.ctl("analyze", "words", "--all")
        assert answer.out == "1 photo of 1 in the queue of words.\n"
        assert answer.err.startswith("imgctl: words is waiting for package: ")
        assert "toys[extra]" in answer.err


def test_what_reads_a_finding_that_is_made_on_request_lets_it_be_made_first(library: Daemon) -> None:
    library.configure(analyzers={"words": {"run": "request"}, "echo": {"run": "request"}})
    library.start()
    library.wait()
    assert heard(library) == []
    answer = library.ctl("analyze", "echo", str(library.root / "trip" / "2.jpg"))
    assert answer.out == "1 photo of 1 in the queue of echo; 1 finding of another one comes first.\n"
    library.wait()
    assert heard(library) == ["first"]


def test_on_idle_all_is_done_and_whoever_reads_it_waits_with_it(library: Daemon) -> None:
    library.configure(analyzers={"words": {"run": "idle"}})
    library.start()
    library.wait()
    library.until(lambda: queue(library) == {"run": "idle", "done": COUNT, "owed": 0, "failed": 0})
    assert queue(library, "echo")["run"] == "idle"
    assert heard(library) == ["first"] * COUNT
    order = [name for (name,) in library.rows(f"SELECT name {_FINDINGS} ORDER BY analyzed_at")]
    assert set(order[-2 * COUNT :]) == {"words", "echo"}


def test_what_was_found_stays_whatever_the_mode_becomes(library: Daemon) -> None:
    library.start()
    library.wait()
    for run, done in (("request", COUNT), ("off", None)):
        assert library.stop() == 0
        library.configure(analyzers={"words": {"run": run}})
        library.start()
        library.wait()
        library.until(lambda done=done: queue(library)["done"] == done)
        assert len(library.found("first")) == COUNT
    assert "switched off" in library.ctl("analyze", "words", "--all").err
    assert "switched off" in library.ctl("retry", "--analyzer", "words").err


def test_the_old_switch_is_refused_with_what_to_write(library: Daemon) -> None:
    library.configure(analyzers={"words": {"enabled": False}})
    answer = library.refuses_to_start()
    assert answer.code == 2
    assert 'analyzers.words.enabled: is not known any more; write run = "off"' in answer.err + library.said


def plan(library: Daemon, *arguments: str) -> dict[str, object]:
    answer = library.ctl("reanalyze", "--plan", "--json", *arguments)
    assert answer.code == 0, answer
    return answer.object


def test_a_plan_changes_nothing_and_says_what_would_run_and_how_long_it_takes(library: Daemon) -> None:
    library.start()
    library.wait()
    assert plan(library)["entries"] == []
    (entry, _) = plan(library, "words")["entries"]
    assert (entry["photos"], entry["queued"], entry["reasons"]) == (COUNT, 0, {"asked for": COUNT})
    assert entry["per_photo_s"] > 0
    assert plan(library, "words")["takes_s"] > 0
    (entry, _) = plan(library, "words", "--photos", str(library.root / "trip" / "1.jpg"))["entries"]
    assert entry["photos"] == 1
    assert library.rows("SELECT COUNT(*) FROM jobs") == [(0,)]


def test_whoever_reads_what_is_made_anew_is_in_the_plan_and_follows(library: Daemon) -> None:
    ask_for_two(library)
    (words, echo) = plan(library, "words")["entries"]
    assert (words["photos"], echo["photos"], echo["queued"]) == (2, 2, 0)
    assert echo["reasons"] == {"read older findings": 2}
    (only,) = plan(library, "echo")["entries"]
    assert only["reasons"] == {"asked for": COUNT}
    (_, echo) = plan(library, "words", "--photos", str(library.root / "trip" / "1.jpg"))["entries"]
    assert echo["photos"] == 1


def test_rates_are_known_after_a_restart_and_never_invented(library: Daemon) -> None:
    library.configure(analyzers={"words": {"run": "request"}})
    library.start()
    library.wait()
    answer = plan(library, "words", "--photos", str(library.root / "trip"))
    assert answer["takes_s"] is None
    assert answer["unmeasured"] == ["words"]
    library.ctl("analyze", "words", "--all")
    library.wait()
    assert library.stop() == 0
    library.start()
    (entry, _) = plan(library, "words")["entries"]
    assert entry["per_photo_s"] > 0


def test_what_is_made_anew_serves_until_it_is(library: Daemon) -> None:
    library.start()
    library.wait()
    library.ctl("pause")
    answer = library.ctl("reanalyze", "words", "--json").object
    assert answer["put_in_queue"] == COUNT
    assert len(library.found("first")) == COUNT
    before = set(analyzed_at(library))
    library.until(lambda: queue(library)["owed"] == COUNT)
    library.ctl("resume")
    library.wait()
    after = analyzed_at(library)
    assert len(after) == COUNT
    assert not before & set(after)


def test_other_settings_are_told_at_the_start_and_in_the_status(library: Daemon) -> None:
    library.start()
    library.wait()
    assert library.stop() == 0
    library.configure(analyzers={"words": {"word": "second"}})
    library.root.rename(library.base / "unplugged")
    checked = library.run("imgd.cli.imgd", "check", "--config", str(library.config))
    assert "With the next start, words is analyzed again: other settings" in checked.out
    library.start()
    assert "words is analyzed again: other settings" in library.said
    library.until(lambda: library.status()["roots"][0]["state"] == "offline")
    (entry,) = plan(library)["entries"][:1]
    assert entry["analyzer"] == "words"
    assert entry["reasons"] == {"other settings": COUNT}
    assert (entry["out_of_reach"], entry["outdated_cost"]) == (COUNT, True)
    (library.base / "unplugged").rename(library.root)
    library.until(lambda: library.status()["roots"][0]["state"] == "online")
    library.wait()
    assert len(library.found("second")) == COUNT


def test_on_request_an_earlier_version_is_made_anew_when_a_person_says_so(library: Daemon) -> None:
    ask_for_two(library)
    assert library.stop() == 0
    library.configure(analyzers={"words": {"run": "request", "word": "second"}})
    library.start()
    library.wait()
    assert len(library.found("first")) == 2
    (entry,) = plan(library)["entries"]
    assert (entry["analyzer"], entry["photos"], entry["queued"]) == ("words", 2, 0)
    assert entry["reasons"] == {"other settings": 2}
    assert library.ctl("reanalyze", "--json").object["put_in_queue"] == 2
    library.wait()
    assert len(library.found("second")) == 2
    assert library.found("first") == []


def test_one_analyzer_is_told_in_full(library: Daemon) -> None:
    library.start()
    library.wait()
    library.until(lambda: queue(library)["done"] == COUNT)
    (words,) = library.ctl("analyzers", "words", "--json").lines
    assert words["runs_on"] == ["2 workers"]
    assert (words["done"], words["owed"], words["failed"]) == (COUNT, 0, 0)
    assert words["settings"] == {"word": "first"}
    assert (words["distribution"], words["distribution_version"]) == ("plugin_toys", "1.0")
    assert words["most_per_s"] > 0
    told = library.ctl("analyzers", "words").out
    assert 'settings  word = "first"' in told
    assert library.ctl("analyzers", "nobody").code == 2
