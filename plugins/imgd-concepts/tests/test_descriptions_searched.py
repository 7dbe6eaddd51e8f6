"""Captions through a real daemon: found by other words, embedded anew when they change, not waited for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import pytest
from daemon_process import Daemon, daemon, write_plugin
from imgd_concepts.descriptions import SPACE
from sample_photos import make_photo

CAPTIONS = {
    "1.jpg": "A tabby sleeping on the radiator",
    "2.jpg": "The harbour at dawn, fishing boats leaving",
    "3.jpg": "Anna blows out the candles of her birthday cake",
}

XMP = """<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'>
<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""

CAPTIONER = """
from dataclasses import dataclass
from imgd import Analyzer, Device, Finding, Model, ModelFile, Needs, Text, hookimpl

@dataclass(frozen=True)
class Settings:
    says: str = "A man rowing a small boat"
    model: str = ""

class Captioner(Analyzer[Settings]):
    name = "caption"
    version = "1"
    needs = Needs(edge=64)
    device = Device.MODEL
    settings_type = Settings

    @classmethod
    def configured(cls, settings):
        return cls.declared(requires=(settings.model,)) if settings.model else cls

    def analyze(self, photos):
        return [Finding(texts=[Text("caption", self.settings.says)]) for photo in photos]

@hookimpl
def imgd_analyzers():
    return [Captioner]

@hookimpl
def imgd_models():
    return [Model("never-here", "No such model", "MIT", (ModelFile("model.bin", "0" * 64, 1, ()),))]
"""


@pytest.fixture
def library(model_dirs: Mapping[str, Path], tmp_path: Path) -> Iterator[Daemon]:
    """Three photos with captions in sidecars, and one without; a captioner is installed."""
    folder = write_plugin(tmp_path / "installed", "captioner", CAPTIONER)
    with daemon(plugins="concepts,captioner", python_path=[folder]) as made:
        made.configure(
            paths={"models_dir": str(next(iter(model_dirs.values())).parent)},
            analyzers={"caption": {"model": "never-here"}},
        )
        for number in range(1, 5):
            make_photo(made.root / f"{number}.jpg", number)
        for name, caption in CAPTIONS.items():
            say(made, name, caption)
        yield made


def say(library: Daemon, name: str, caption: str) -> None:
    (library.root / name).with_suffix(".xmp").write_text(XMP.format(escape(caption)))


def vectors(library: Daemon) -> dict[str, int]:
    """Photo name -> how many vectors its descriptions have."""
    rows = library.rows(
        "SELECT display_name, COUNT(*) FROM vectors JOIN photos ON photos.id = photo_id"
        " JOIN spaces ON spaces.id = space_id WHERE spaces.name = ? GROUP BY 1",
        SPACE,
    )
    return {str(name): int(count) for name, count in rows}


def best(library: Daemon, query: str) -> str:
    return next(iter(library.found(query)), "")


def test_a_photo_is_found_by_other_words_than_its_caption_has(library: Daemon) -> None:
    library.start().wait()
    states = {each["name"]: each["state"] for each in library.ctl("analyzers", "--json").lines}
    assert (states["caption"], states["descriptions"]) == ("waiting for model", "ready")
    assert vectors(library) == dict.fromkeys(CAPTIONS, 1)
    assert library.findings(library.root / "4.jpg").keys() >= {"descriptions"}
    library.until(lambda: best(library, "a cat asleep on a heater") == "1.jpg")
    assert best(library, "ships in a port in the early morning") == "2.jpg"


def test_a_caption_that_is_edited_is_embedded_anew(library: Daemon) -> None:
    library.start().wait()
    say(library, "2.jpg", "We are back home again. The kitten sleeps on a warm stove.")
    say(library, "1.jpg", "They ate spaghetti in the kitchen until midnight")
    library.until(lambda: vectors(library) == {"1.jpg": 1, "2.jpg": 2, "3.jpg": 1})
    library.wait()
    library.until(lambda: best(library, "cat sleeping on a stove") == "2.jpg")


def test_captions_that_come_or_change_later_are_embedded_too(library: Daemon) -> None:
    library.start().wait()
    assert library.stop() == 0
    library.configure(analyzers={"caption": {}})
    library.start().wait()
    assert vectors(library) == {"1.jpg": 2, "2.jpg": 2, "3.jpg": 2, "4.jpg": 1}
    before = library.rows("SELECT MAX(id) FROM vectors")
    assert library.stop() == 0
    library.configure(analyzers={"caption": {"says": "A woman playing the violin"}})
    library.start().wait()
    assert vectors(library) == {"1.jpg": 2, "2.jpg": 2, "3.jpg": 2, "4.jpg": 1}
    assert library.rows("SELECT MAX(id) FROM vectors") > before
    library.until(lambda: "4.jpg" in library.found("a lady plays a fiddle"))
    assert library.stop() == 0
    settled = library.rows("SELECT MAX(id) FROM vectors")
    library.start().wait()
    assert library.rows("SELECT MAX(id) FROM vectors") == settled
