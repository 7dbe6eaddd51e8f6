"""Text in photos: is it read, and found? How much does the test cost that skips photos without text?

Over the 31 pictures of corpus/07_ocr, and the 211 photos of corpus/05_semantic:

- the mean character error rate of the English pictures that are transcribed as a whole, by the analyzer `ocr` of
  imgd-ocr on what a lane is given, and by rapidocr called alone on the file, in the same run. White space counts
  as one space; case and punctuation count. Levenshtein distance over the length of the transcription.
- the share of pictures that a real daemon, searched for `text:WORD`, finds by a word of theirs, among the 23
  whose script the model in rapidocr's wheel reads: each word of at least 4 letters of a transcription, or words
  that a person read off the picture. A picture counts as the share of its words that find it (`found`); that of
  pictures that any of their words finds is told beside it (`found_by_any`).
- the test for text: the share of pictures with readable text that it skips, of ordinary photos that it skips, what
  is lost in these (by reading all of them), and seconds a photo with it and without.

    python bench/ocr.py [--corpus DIR] [--photos N] [--parts reading test]

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from imgd_ocr.analyzer import OcrAnalyzer
from imgd_ocr.settings import OcrSettings
from library import LibraryError, library, run
from photos import CORPUS

from imgd import Finding, PhotoInput
from imgd.config import DecodeSettings
from imgd.decode import DecodeLimits, Source, decode, pyramid

PARTLY = frozenset({"07_ocr/rapidocr/return_word_debug.jpg"})
"""Of these the manifest names a word, not all the text."""
SURE_LINE, LEAST_LETTERS = 0.8, 3
"""A line that is worth finding again: so sure, and with so many letters or digits."""

SEEN = {
    "easyocr/example.png": "coronavirus soap thoroughly eggs",
    "easyocr/french.jpg": "Mairie Palais Louvre Musée Théâtre",
    "easyocr/chinese.jpg": "Yuyuan 愚园路",
    "immich/craft-beer.jpg": "main seasonal barrel",
    "immich/handwritten-notes.jpg": "progress feedback",
    "opencv/imageTextN.png": "courses imagery chapter photographs",
    "opencv/imageTextR.png": "courses imagery chapter photographs",
    "rapidocr/ch_en_num.jpg": "冰点标准 极速发货",
    "rapidocr/en.jpg": "MovieShots facilitate annotation details",
    "rapidocr/en_rec.jpg": "facilitate analysis collect",
    "rapidocr/img_exif_orientation.jpg": "我是中国人",
    "rapidocr/return_word_debug.jpg": "88852022",
    "rapidocr/short.png": "中国网络空间安全",
    "rapidocr/text_rec.jpg": "韩国小馆",
}
"""What a person reads in pictures that come without transcription."""
UNREAD = frozenset({"rapidocr/arabic.png", "rapidocr/cyrillic.png", "rapidocr/ta.png", "rapidocr/th_rec.jpg"})
"""Transcribed in scripts whose models are not in rapidocr's wheel."""
ABSENT = ("zebra", "umbrella", "november", "kitchen", "violin", "glacier", "penguin", "tractor")
"""Words of none of the pictures."""

_WORD = re.compile(r"[^\W_]{4,}")


@dataclass(frozen=True, slots=True)
class Read:
    """One photo: what is in it, and the seconds it took, by this process alone."""

    lines: Sequence[tuple[str, float]]
    text: str
    skipped: bool
    seconds: float


def transcriptions(corpus: Path) -> dict[str, str]:
    """Picture (below the corpus) -> all the text in it, where somebody wrote it down."""
    truth = json.loads((corpus / "gt" / "ocr.json").read_bytes())
    texts = {name: entry["text"] for name, entry in truth.items() if entry.get("text")}
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["path"].startswith("07_ocr/") and row["ground_truth"].startswith("text="):
                texts.setdefault(row["path"], row["ground_truth"].removeprefix("text="))
    return {name: text for name, text in sorted(texts.items()) if name not in PARTLY}


def error_rate(read: str, written: str) -> float:
    """Levenshtein distance over the length of what is written; white space counts as one space."""
    got = np.array([ord(each) for each in " ".join(read.split())])
    want = [ord(each) for each in " ".join(written.split())]
    steps = np.arange(len(got) + 1)
    costs = steps
    for row, letter in enumerate(want, start=1):
        cheapest = np.concatenate(([row], np.minimum(costs[:-1] + (got != letter), costs[1:] + 1)))
        costs = np.minimum.accumulate(cheapest - steps) + steps  # insertions, for the whole row at once
    return float(costs[-1]) / len(want)


def as_in_a_lane(path: Path) -> PhotoInput:
    """The photo as a lane is given it."""
    edge = OcrAnalyzer.needs.edge
    with Source.open(os.fsencode(path), 1 << 30) as source:
        picture = decode(source, edge, DecodeLimits.of(DecodeSettings()))
    pixels = pyramid(picture, (edge,))[edge]
    return PhotoInput(1, str(path), picture.format, picture.width, picture.height, pixels)


def read_all(photos: Mapping[str, PhotoInput], settings: OcrSettings) -> dict[str, Read]:
    """Each photo by itself, on one thread."""
    analyzer = OcrAnalyzer.configured(settings)(settings, {})
    analyzer.load("cpu")
    found = {}
    for name, photo in photos.items():
        started = time.process_time()
        (finding,) = analyzer.analyze([photo])
        seconds = time.process_time() - started
        if not isinstance(finding, Finding):
            raise SystemExit(f"{name}: {finding.reason}")
        lines = [(region.label, region.score) for region in finding.regions]
        text = "\n".join(each.text for each in finding.texts)
        found[name] = Read(lines, text, bool(finding.facts.get("text_skipped")), seconds)
    analyzer.close()
    return found


def read_alone(corpus: Path, names: Sequence[str]) -> dict[str, Read]:
    """rapidocr as its own README calls it, on the files."""
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)  # it warns of pictures without text
    one_thread = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "critical"}
    engine = RapidOCR(params=one_thread)
    found = {}
    for name in names:
        started = time.process_time()
        answer: Any = engine(str(corpus / name))
        seconds = time.process_time() - started
        texts = tuple(answer.txts or ())
        found[name] = Read(list(zip(texts, answer.scores or (), strict=True)), "\n".join(texts), False, seconds)
    return found


def words_of(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Picture -> the words that it should be found by."""
    words = {f"07_ocr/{name}": seen.split() for name, seen in SEEN.items()}
    for name, text in texts.items():
        if name.removeprefix("07_ocr/") not in UNREAD:
            words[name] = _WORD.findall(text)
    return {name: sorted({word.lower() for word in found}) for name, found in sorted(words.items())}


def found_by_words(corpus: Path, words: Mapping[str, Sequence[str]]) -> tuple[dict[str, float], int]:
    """Picture -> the share of its words that find it, by the text index of a real daemon; and how many pictures
    are found by words that none of them has."""
    shares = {}
    with library(roots=[corpus / "07_ocr"], plugins="ocr") as owned:
        owned.start()
        owned.wait(600)

        with owned.client() as client:
            found = {
                word: [hit.path for hit in client.search(f"text:{word}", 50).hits]
                for word in sorted(set(ABSENT).union(*words.values()))
            }
        for name, wanted in words.items():
            shares[name] = statistics.fmean(any(path.endswith(name) for path in found[word]) for word in wanted)
    return shares, sum(len(found[word]) for word in ABSENT)


def worth_finding(read: Read) -> bool:
    return any(score >= SURE_LINE and len(re.findall(r"\w", text)) >= LEAST_LETTERS for text, score in read.lines)


def measure_reading(corpus: Path, settings: OcrSettings) -> dict[str, float]:
    """Error rates of the English pictures, and which are found by their words."""
    texts = transcriptions(corpus)
    english = [name for name, text in texts.items() if text.isascii()]
    ours = read_all({name: as_in_a_lane(corpus / name) for name in english}, settings)
    alone = read_alone(corpus, english)
    rates = {
        name: (error_rate(ours[name].text, texts[name]), error_rate(alone[name].text, texts[name]))
        for name in ours
    }
    for name, (rate, alone_rate) in rates.items():
        print(f"{name:44}{rate:8.3f}   rapidocr alone{alone_rate:8.3f}")
    found, wrongly = found_by_words(corpus, words_of(texts))
    for name, share in found.items():
        if share < 1:
            print(f"{name:44}{share:8.3f} of its words find it")
    return {
        "english_pictures": len(english),
        "error_rate": statistics.fmean(rate for rate, _ in rates.values()),
        "error_rate_alone": statistics.fmean(rate for _, rate in rates.values()),
        "seconds_english": statistics.fmean(each.seconds for each in ours.values()),
        "seconds_english_alone": statistics.fmean(each.seconds for each in alone.values()),
        "pictures_with_words": len(found),
        "found": statistics.fmean(found.values()),
        "found_by_absent_words": wrongly,
        "found_by_any": statistics.fmean(share > 0 for share in found.values()),
    }


def measure_test(corpus: Path, settings: OcrSettings, most: int) -> dict[str, float]:
    """What the test for text skips of pictures with text and of ordinary photos, what it saves and loses."""
    names = sorted(str(path.relative_to(corpus)) for path in (corpus / "07_ocr").rglob("*.*"))
    figures: dict[str, float] = {}
    for kind, chosen in (("ocr", names), ("photos", ordinary(corpus)[:most])):
        photos = {name: as_in_a_lane(corpus / name) for name in chosen}
        tested = read_all(photos, settings)
        # The test adds its look, and changes nothing in what is read: photos that it lets pass are not read again.
        looks = statistics.fmean([read.seconds for read in tested.values() if read.skipped] or [0.0])
        skipped = {name: photos[name] for name, read in tested.items() if read.skipped}
        every = tested | read_all(skipped, replace(settings, text_threshold=0.0))
        with_text = [name for name, read in every.items() if read.lines]
        worth = [name for name, read in every.items() if worth_finding(read)]
        missed = [name for name in with_text if tested[name].skipped]
        print(f"{kind}: skipped with text: {', '.join(Path(name).name for name in missed) or 'none'}")
        figures |= {
            f"{kind}_count": len(photos),
            f"{kind}_with_text": len(with_text),
            f"{kind}_with_sure_text": len(worth),
            f"{kind}_skipped": statistics.fmean(read.skipped for read in tested.values()),
            f"{kind}_missed": len(missed) / len(with_text),
            f"{kind}_sure_missed": statistics.fmean(tested[name].skipped for name in worth),
            f"{kind}_seconds_all": statistics.fmean(
                read.seconds - looks * (name not in skipped) for name, read in every.items()
            ),
            f"{kind}_seconds": statistics.fmean(read.seconds for read in tested.values()),
            f"{kind}_seconds_look": looks,
        }
    return figures


def ordinary(corpus: Path) -> list[str]:
    """The photos of 05_semantic."""
    return sorted(json.loads((corpus / "gt" / "semantic.json").read_bytes()))


def main() -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--photos", type=int, default=1000, help="ordinary photos at most (all 211)")
    parser.add_argument("--parts", nargs="+", choices=("reading", "test"), default=("reading", "test"))
    options = parser.parse_args()
    if not options.corpus.is_dir():
        raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
    settings = OcrSettings(threads=1)
    figures: dict[str, float] = {}
    if "reading" in options.parts:
        figures |= measure_reading(options.corpus, settings)
    if "test" in options.parts:
        figures |= measure_test(options.corpus, settings, options.photos)
    for key, value in figures.items():
        print(f"{key:28}{value:10.3f}")
    return {"bench": "ocr", **figures}


if __name__ == "__main__":
    run(main)
