"""The search engine in this process, over a library that a daemon has analyzed: its cut-off can be varied."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from library import library
from no_match import HALVES, share_without_hits

from imgd import QueryEncoder
from imgd.config import SearchSettings
from imgd.errors import SearchError
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.pipeline.messages import FileAnswer, PhotoToEncode
from imgd.search import cutoff
from imgd.search.engine import SearchEngine
from imgd.search.options import SearchOptions
from imgd.store.database import Database
from imgd.store.migrate import migrations

Ranking = Callable[[str], Sequence[str]]

DEPTH = 211
KEPT_VECTORS = ("labels-*.npz", "background-*.npz")
"""Files that are there once the daemon has encoded all tags and the whole background."""

NO_CUTOFF = -100.0
TRIED = (2.9, 3.0, 3.1, 3.2, 3.3, 3.4)
"""Values of `OUTSTANDING` in imgd/search/cutoff.py."""

MOST_LOST = 0.03
"""The bar: how much recall@5 may fall by the cut-off."""


def plain_words(query: str) -> str:
    """The query without the signs of the query language: captions are words, not expressions."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in query.replace("'s", "")).split())


class TextEncoders:
    """The encoders of concepts and of descriptions, in this process; each text is encoded once.

    `describes`: whether searches ask the space of descriptions.
    """

    def __init__(self, models: Path) -> None:
        from imgd_concepts.descriptions import DescriptionQueryEncoder, DescriptionSettings
        from imgd_concepts.query import ConceptQueryEncoder
        from imgd_concepts.settings import ConceptSettings

        directories = {name: models / name for name in ConceptQueryEncoder.requires}
        concepts = ConceptQueryEncoder(ConceptSettings(), directories)
        descriptions = DescriptionQueryEncoder(DescriptionSettings(), directories)
        self._encoders: dict[str, QueryEncoder[Any]] = {each.space: each for each in (concepts, descriptions)}
        for each in self._encoders.values():
            each.load("cpu")
        self._known: dict[tuple[str, str], npt.NDArray[np.float32]] = {}
        self.describes = True

    def spaces(self) -> Sequence[str]:
        return [space for space, each in self._encoders.items() if self.describes or not each.of_texts]

    def of_texts(self) -> Collection[str]:
        return [space for space, each in self._encoders.items() if each.of_texts]

    def unable(self, *, photos: bool = False) -> Collection[str]:
        return self.spaces() if photos else ()

    def background(self, space: str) -> Sequence[str]:
        return tuple(self._encoders[space].background_texts)

    def photo_edges(self) -> Mapping[str, int]:
        return {}

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        del background
        if new := [text for text in dict.fromkeys(texts) if (space, text) not in self._known]:
            rows = np.asarray(self._encoders[space].encode_texts(new))
            self._known |= {(space, text): row for text, row in zip(new, rows, strict=True)}
        return np.stack([self._known[space, text] for text in texts])

    async def encode_photo(self, space: str, photo: PhotoToEncode) -> npt.NDArray[np.float32]:
        del space, photo
        raise SearchError("photos are not encoded here")


class NoFiles:
    """These queries name no file."""

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        del path, edges
        raise SearchError("files are not read here")


class EngineRanking:
    """Searches as the daemon makes them, but with any cut-off: `outstanding` is that of imgd/search/cutoff.py."""

    def __init__(self, engine: SearchEngine, runner: asyncio.Runner, encoders: TextEncoders) -> None:
        self._engine = engine
        self._runner = runner
        self.encoders = encoders
        self._listed = (cutoff.LISTED, cutoff.BELOW_BEST)
        self.shipped = self.outstanding = cutoff.OUTSTANDING

    def __call__(self, query: str) -> Sequence[str]:
        """Names of the photos (below the corpus), best first."""
        return self._found(plain_words(query), self.outstanding, describes=self.encoders.describes)

    @functools.cache  # noqa: B019 - as long as the benchmark
    def _found(self, query: str, outstanding: float, *, describes: bool) -> Sequence[str]:
        assert describes == self.encoders.describes
        cutoff.OUTSTANDING = outstanding
        cutoff.LISTED, cutoff.BELOW_BEST = (NO_CUTOFF, 100.0) if outstanding == NO_CUTOFF else self._listed
        answer = self._runner.run(self._engine.search(query, SearchOptions(DEPTH)))
        return [f"05_semantic/{Path(os.fsdecode(hit.path)).name}" for hit in answer.hits]


@contextmanager
def engine_ranking(photos: Path, models: Path, encoders: TextEncoders | None = None) -> Iterator[EngineRanking]:
    """A daemon analyzes the photos of a folder and ends; then its library is searched from here."""
    encoders = encoders or TextEncoders(models)
    settings = {"paths": {"models_dir": str(models)}}
    with library(roots=[photos], settings=settings, plugins="concepts") as owned:
        owned.start()
        owned.wait(600)
        owned.stop()
        with contextlib.ExitStack() as stack:
            database = stack.enter_context(contextlib.closing(Database(owned.database, migrations())))
            text_index = stack.enter_context(contextlib.closing(TextIndex(owned.text_database)))
            runner = stack.enter_context(asyncio.Runner())
            vectors = owned.database.parent / "vectors"
            engine = SearchEngine(
                database,
                text_index,
                SpaceIndexes(database, vectors),
                encoders,
                files=NoFiles(),
                settings=SearchSettings(),
                cache=vectors,
            )
            runner.run(engine.warm())
            yield EngineRanking(engine, runner, encoders)


def print_fits(ranking: EngineRanking, recall_at_5: Callable[[Ranking], float]) -> dict[str, float]:
    """Fit the cut-off on each half of the queries without a match, and judge it on the other one."""
    ranking.outstanding = NO_CUTOFF
    without = recall_at_5(ranking)
    print(f"R@5 without the cut-off {without:.3f}")
    figures = {"R@5 without cut-off": without}
    for number, (fitted_on, judged_on) in enumerate((HALVES, HALVES[::-1]), start=1):
        worths = {}
        for outstanding in TRIED:
            ranking.outstanding = outstanding
            after = recall_at_5(ranking)
            # Recall that is kept comes first, then queries that find nothing, then the milder cut-off.
            worths[outstanding] = (
                without - after <= MOST_LOST,
                share_without_hits(ranking, fitted_on),
                -outstanding,
            )
        best = ranking.outstanding = max(worths, key=lambda outstanding: worths[outstanding])
        judged, after = share_without_hits(ranking, judged_on), recall_at_5(ranking)
        print(f"fitted on half {number}: {best}; nothing found for the other half: {judged:.3f}; R@5 {after:.3f}")
        figures |= {f"fit {number}": best, f"fit {number} judged": judged, f"fit {number} R@5": after}
    ranking.outstanding = ranking.shipped
    return figures
