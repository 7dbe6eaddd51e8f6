"""Which spaces answer in a running daemon: an old one until the new one is complete, chosen ones for others."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon_process import Answer, Daemon, daemon, write_plugin
from PIL import Image

_COLOURS = """
from dataclasses import dataclass

import numpy as np

from imgd import Analyzer, Finding, Needs, QueryEncoder, Vector, hookimpl

NAMES = {"black": 0, "blue": 1, "green": 2, "cyan": 3, "red": 4, "pink": 5, "yellow": 6, "white": 7}
BACKGROUND = [f"thing{number}" for number in range(40)]


@dataclass(frozen=True)
class Settings:
    model: str = "a"


def vector(number, model):
    \"\"\"Colours stand at right angles; another model has them elsewhere, so that spaces cannot be mixed up.\"\"\"
    row = np.full(64, 0.01)
    row[(number + ord(model)) % 64] = 1.0
    return (row / np.linalg.norm(row)).astype(np.float32)


class Looking:
    def look(self, photo):
        corner = (photo.image.mean(axis=(0, 1)) > 127).astype(int)
        return vector(int(corner @ [4, 2, 1]), self.settings.model)


class Words:
    def encode_texts(self, texts):
        numbers = [NAMES.get(text, 8 + sum(map(ord, text)) % 40) for text in texts]
        return np.stack([vector(number, type(self).space[-1]) for number in numbers])

    def encode_photos(self, photos):
        return np.stack([self.look(photo) for photo in photos])

    @classmethod
    def configured(cls, settings):
        return cls.declared(space=f"{cls.name}:{settings.model}")

    @classmethod
    def for_space(cls, space, settings):
        return cls.declared(space=space) if space.startswith(f"{cls.name}:") else None


class Tint(Looking, Analyzer[Settings]):
    name = "tint"
    version = "1"
    needs = Needs(edge=32)
    settings_type = Settings

    def analyze(self, photos):
        space = f"{self.name}:{self.settings.model}"
        return [Finding(vectors=[Vector(space, self.look(each))]) for each in photos]


class Tone(Tint):
    name = "tone"


class TintWords(Words, Looking, QueryEncoder[Settings]):
    name = analyzer = "tint"
    space = "tint:a"
    dimensions = 64
    edge = 32
    background_texts = BACKGROUND


class ToneWords(TintWords):
    name = analyzer = "tone"
    space = "tone:a"


@hookimpl
def imgd_analyzers(settings):
    return [Tint, Tone]


@hookimpl
def imgd_query_encoders(settings):
    return [TintWords, ToneWords]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_plugin(tmp_path / "site", "colours", _COLOURS)


def draw(library: Daemon) -> None:
    for name in ("black", "blue", "green", "cyan", "red", "pink", "yellow", "white"):
        colour = "magenta" if name == "pink" else "lime" if name == "green" else name
        Image.new("RGB", (64, 64), colour).save(library.root / f"{ord(name[0])}{len(name)}.png")


def looked_in(library: Daemon, query: str) -> set[str]:
    """The spaces by which the one photo was found that is what `query` says."""

    def search() -> Answer | None:
        """None while imgd says that it is still preparing what the first search needs."""
        answer = library.ctl("search", "--json", "--explain", query)
        return None if "being prepared: ask again" in answer.err else answer

    answer = library.until(search)
    assert answer is not None
    assert (answer.code, answer.err) == (0, ""), f"{answer}\n{library.said}"
    ranks = [line.split() for line in answer.lines[0]["reasons"] if line.startswith("rank 1 by")]
    return {words[-1] for words in ranks if "in" in words}


def red(library: Daemon) -> str:
    return str(library.root / f"{ord('r')}3.png")


def test_with_another_model_the_old_space_serves_words_and_files_until_the_new_one_is_complete(
    site: Path, tmp_path: Path
) -> None:
    with daemon(plugins="colours", python_path=[site]) as library:
        library.configure(analyzers={"tone": {"run": "off"}})
        draw(library)
        library.start()
        library.wait()
        assert looked_in(library, "red") == {"tint:a"}
        assert library.stop() == 0

        library.configure(analyzers={"tint": {"model": "b"}})
        library.root.rename(library.base / "unplugged")
        library.start()
        assert looked_in(library, "red") == {"tint:a"}
        Image.new("RGB", (64, 64), "red").save(tmp_path / "outside.png")
        assert looked_in(library, f"like:{tmp_path / 'outside.png'}") == {"tint:a"}

        (library.base / "unplugged").rename(library.root)
        library.until(lambda: library.status()["roots"][0]["state"] == "online")
        library.wait()
        assert looked_in(library, "red") == {"tint:b"}
        library.until(lambda: [each["name"] for each in library.status()["indexes"]] == ["text", "tint:b"])
        assert looked_in(library, f"like:{tmp_path / 'outside.png'}") == {"tint:b"}


def test_chosen_analyzers_answer_alone_once_they_have_looked_at_every_photo(site: Path) -> None:
    with daemon(plugins="colours", python_path=[site]) as library:
        library.configure(search={"meaning": ["tone"]}, analyzers={"tone": {"run": "request"}})
        draw(library)
        library.start()
        library.wait()
        assert looked_in(library, "red") == {"tint:a"}
        assert library.stop() == 0

        library.configure(analyzers={"tone": {"run": "always"}})
        library.start()
        library.wait()
        library.until(lambda: [each["name"] for each in library.status()["indexes"]] == ["text", "tone:a"])
        assert looked_in(library, "red") == {"tone:a"}
        assert looked_in(library, f"like:{red(library)}") == {"tone:a"}
        (stored,) = library.rows(
            "SELECT count(*) FROM vectors JOIN spaces ON spaces.id = space_id AND name = 'tint:a'"
        )
        assert stored == (8,)
        assert library.stop() == 0

        library.configure(search={"meaning": []})
        library.start()
        assert looked_in(library, "red") == {"tint:a", "tone:a"}


def test_a_choice_that_no_analyzer_answers_to_keeps_the_daemon_from_starting(site: Path) -> None:
    with daemon(plugins="colours", python_path=[site]) as library:
        library.configure(search={"meaning": ["tune", "technical"]})
        checked = library.run("imgd.cli.imgd", "check", "--config", str(library.config))
        assert checked.code == 2
        # Plugins that are installed where the tests run are left out here, so the name may be one of theirs.
        assert "search.meaning: tune is passed over: `tune` is no analyzer; did you mean `tone`?" in checked.err
        assert "search.meaning: the analyzer `technical` fills no space" in checked.err


def test_an_encoder_that_fails_is_a_fault_until_it_works_again(site: Path, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    source = (site / "plugin_colours.py").read_text()
    broken = f'if __import__("os").path.exists({str(stop)!r}):\n            raise OSError("no tokenizer is there")'
    source = source.replace("        numbers = [NAMES", f"        {broken}\n        numbers = [NAMES")
    (site / "plugin_colours.py").write_text(source)
    stop.touch()
    with daemon(plugins="colours", python_path=[site]) as library:
        draw(library)
        library.start()
        library.wait()
        library.until(lambda: "no tokenizer is there" in library.ctl("search", "blue").err)
        assert "no words for tint:a: the encoder of tint:a failed" in library.faults()
        assert "no tokenizer is there" in library.faults()
        stop.unlink()
        library.ctl("search", "blue")
        library.until(lambda: "no words for" not in library.faults())
