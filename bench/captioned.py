"""Photos whose captions are known to imgd: how much better do other words for the same photos find them?

One caption of some photos is written beside them, as people's programs do, and the others are asked. The words of
these captions are searched in both cases; compared is what the space of their meanings adds.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from no_match import QUERIES, share_without_hits
from semantic_engine import EngineRanking, Ranking, TextEncoders, engine_ranking

Captions = Mapping[str, Sequence[str]]
"""Names of photos, below the corpus -> what is said of them."""

_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@contextmanager
def described_photos(corpus: Path, captions: Mapping[str, str]) -> Iterator[Path]:
    """A copy of 05_semantic with a sidecar beside each photo of `captions`."""
    with tempfile.TemporaryDirectory(prefix="imgd-bench-") as scratch:
        folder = Path(shutil.copytree(corpus / "05_semantic", Path(scratch) / "05_semantic"))
        for name, caption in captions.items():
            (folder / f"{Path(name).name}.xmp").write_text(_XMP.format(escape(caption)), "utf-8")
        yield folder


def measure_captions(corpus: Path, models: Path, captions: Captions) -> dict[str, float]:
    """Figures with captions of all photos, of every other one, and of three, by what they are of."""
    told = {name: said for name, said in captions.items() if len(said) > 1}
    figures: dict[str, float] = {}
    encoders = TextEncoders(models)
    for label, names in (("all", list(told)), ("half", list(told)[::2]), ("three", list(told)[::20])):
        with (
            described_photos(corpus, {name: told[name][0] for name in names}) as photos,
            engine_ranking(photos, models, encoders) as ranking,
        ):
            for way, describes in (("words", False), ("meanings", True)):
                ranking.encoders.describes = describes
                figures |= {
                    f"{label}, {way}: {key}": value for key, value in _measured(ranking, told, names).items()
                }
    return figures


def _measured(ranking: EngineRanking, told: Captions, names: Sequence[str]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for kind, some in (("described", names), ("others", [name for name in told if name not in names])):
        if some:
            ranks = _ranks(ranking, [(caption, name) for name in some for caption in told[name][1:]])
            figures |= {f"{kind} R@{k}": float(np.mean(ranks < k)) for k in (1, 5, 10)}
    return figures | {"nothing found": share_without_hits(ranking, QUERIES)}


def _ranks(ranking: Ranking, queries: Sequence[tuple[str, str]]) -> np.ndarray:
    ranks = []
    for caption, name in queries:
        found = list(ranking(caption))
        ranks.append(found.index(name) if name in found else len(found) + 1_000)
    return np.array(ranks)
