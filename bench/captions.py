"""Captions: what those in metadata bring to searches in other words, and how quickly photos are captioned.

`--search`: the 211 photos of corpus/05_semantic. The 54 that have five captions carry the first of them in their
metadata (an XMP sidecar); the other four are asked for, of every one. A real daemon answers: without captions
(pictures and tags alone), with captions as words, and with captions also by their meaning (`descriptions`).

`--speed`: a BLIP of the size of blip-base with random weights, which says all the words that it may: nothing ends
it. The bare model in this process, on photos that lie prepared in memory, against a lane that is given the same
photos. On a processor; a batch takes seconds, so a few are enough.

    python bench/captions.py --search
    python bench/captions.py --speed

Prints a table and one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from captioned import described_photos
from lane_feed import lane_feed
from lanes import Measured, compare, report
from library import Library, LibraryError, library, run
from photos import CORPUS
from PIL import Image
from semantic_engine import DEPTH, KEPT_VECTORS, plain_words

CAPTIONS = 5
WORDS, BEAMS = 12, 3


def read_captions(corpus: Path) -> dict[str, list[str]]:
    """Photo name -> its captions, of those photos that have five."""
    entries = json.loads((corpus / "gt" / "semantic.json").read_bytes())
    found = {Path(name).name: entry.get("captions", [])[:CAPTIONS] for name, entry in sorted(entries.items())}
    return {name: captions for name, captions in found.items() if len(captions) == CAPTIONS}


def search(corpus: Path, models: Path) -> dict[str, float]:
    """One library, of which the photos are analyzed once: first without captions, then with them, and at last by a
    daemon that leaves out what they mean."""
    captions = read_captions(corpus)
    figures: dict[str, float] = {"captioned photos": len(captions)}
    with (
        described_photos(corpus, {}) as folder,
        described_photos(corpus, {name: said[0] for name, said in captions.items()}) as described,
        library(roots=[folder], settings={"paths": {"models_dir": str(models)}}, plugins="concepts") as owned,
    ):
        owned.start()
        figures |= measured("no captions", owned, captions)
        wanted = count_described(owned) + len(captions)  # one photo has a caption in its own metadata
        for sidecar in described.glob("*.xmp"):
            shutil.copy(sidecar, folder)
        owned.until(lambda: count_described(owned) == wanted, 600, "all captions are embedded")
        figures |= measured("captions, also by meaning", owned, captions)
        owned.stop()
        with owned.config.open("a") as config:
            config.write('\n[search]\nmeaning = ["concepts"]\n')
        owned.start()
        figures |= measured("captions, as words", owned, captions)
    return figures


def measured(way: str, owned: Library, captions: Mapping[str, list[str]]) -> dict[str, float]:
    """The share of captions that no photo carries whose photo is among the best k of the daemon's answer."""
    owned.wait(1200)
    kept = owned.database.parent / "vectors"
    ranks = []
    with owned.client() as client:
        client.warm_search()
        owned.until(lambda: all(any(kept.glob(name)) for name in KEPT_VECTORS), 600, "labels are encoded")
        for name, (_, *asked) in captions.items():
            for caption in asked:
                hits = client.search(plain_words(caption), DEPTH).hits
                found = [Path(os.fsdecode(hit.path)).name for hit in hits]
                ranks.append(found.index(name) if name in found else DEPTH)
    return {f"R@{k} {way}": float(np.mean(np.array(ranks) < k)) for k in (1, 5, 10)}


def count_described(owned: Library) -> int:
    return int(
        owned.rows(
            "SELECT COUNT(DISTINCT photo_id) FROM vectors JOIN spaces ON spaces.id = space_id"
            " WHERE spaces.name LIKE 'descriptions:%'"
        )[0][0]
    )


def speed(count: int, batch: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="imgd-bench-blip-") as name:
        directory = Path(name) / "random-blip"
        directory.mkdir()
        make_random_blip(directory)
        measured = asyncio.run(compare_speed(directory, count, batch, rounds))
    report("bare model", "lane", measured, batch)
    return {
        "bare, photos/s": statistics.median(measured.bare),
        "through the lane, photos/s": statistics.median(measured.lane),
        "lane / bare": measured.ratio,
    }


def make_random_blip(directory: Path) -> None:
    """The sizes of blip-base, as transformers' own defaults have them."""
    from imgd_caption.libraries import import_transformers

    _torch, transformers = import_transformers()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"word{number}" for number in range(30_517))]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizer(str(directory / "vocab.txt")).save_pretrained(directory)
    transformers.BlipImageProcessorPil().save_pretrained(directory)
    transformers.BlipForConditionalGeneration(transformers.BlipConfig()).save_pretrained(directory)


async def compare_speed(directory: Path, count: int, batch: int, rounds: int) -> Measured:
    """The same photos, in turn by the bare model, which has them prepared, and by a lane, which prepares them."""
    from imgd_caption.analyzer import CaptionAnalyzer
    from imgd_caption.captioner import Captioner
    from imgd_caption.pictures import Preprocessing
    from imgd_caption.settings import CaptionSettings

    settings = CaptionSettings(model=directory.name, batch_size=batch, max_new_tokens=WORDS, beams=BEAMS)
    directories = {directory.name: directory}
    coarse = np.random.default_rng(1).integers(0, 256, (count, 12, 16, 3), np.uint8)
    edge = CaptionAnalyzer.needs.edge
    photos = [
        np.asarray(Image.fromarray(each).resize((edge, edge * 3 // 4), Image.Resampling.BICUBIC))
        for each in coarse
    ]
    captioner = Captioner(directory, settings, "cpu")
    preprocessing = Preprocessing.read(directory)
    prepared = [
        np.stack([preprocessing.apply(each) for each in photos[n : n + batch]]) for n in range(0, count, batch)
    ]

    def bare() -> None:
        for pictures in prepared:
            captioner.caption(pictures)

    captioner.caption(prepared[0])
    analyzer = CaptionAnalyzer.configured(settings)
    async with lane_feed(analyzer, settings, directories, photos, device="cpu", memory_mb=0) as feed:
        await feed.analyze(batch)
        return await compare(feed, bare, count, rounds)


def main() -> dict[str, object]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--photos", type=int, default=8, help="of each round of --speed")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=Path, default=os.environ.get("IMGD_TEST_MODELS"))
    options = parser.parse_args()
    figures: dict[str, float] = {}
    if options.search or not options.speed:
        if not options.corpus.is_dir():
            raise LibraryError(f"no corpus at {options.corpus}; name it with --corpus")
        if options.models is None:
            from imgd.config import PathSettings

            options.models = PathSettings().models_dir
        figures |= search(options.corpus, options.models.absolute())
    if options.speed:
        figures |= speed(options.photos, options.batch, options.rounds)
    for key, value in figures.items():
        print(f"{key:32}{value:8.3f}")
    return {"bench": "captions", **figures}


if __name__ == "__main__":
    run(main)
