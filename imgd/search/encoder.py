"""The main process's side of the query encoders: texts and photos in, vectors out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from imgd.errors import ModelMissingError, SearchError
from imgd.pipeline.messages import AnalyzerSpec, PhotoToEncode
from imgd.pipeline.process import ChildStarter
from imgd.plugins import EncoderClass
from imgd.search.encoder_child import EncoderChild

_SMALLEST_BATCH, _LARGEST_BATCH = 4, 32
_BATCH_S = 0.1
"""How long a batch of texts in the background may take: a query that comes meanwhile waits for one at most."""

_Models: TypeAlias = tuple[str, ...]
"""Names of catalogue models."""


class EncoderProcess:
    """All query encoders, in children: one for the texts of each model, and one for photos.

    A query's words are encoded for several spaces at once, and a model that is slow or crashes costs the others
    nothing. The models that look at photos are large, slow to load, and wanted seldom. In a child of their own
    they never make a query's words wait, and a photo at which they crash costs nothing but its own search.
    """

    def __init__(
        self,
        starter: ChildStarter,
        encoders: Mapping[str, EncoderClass],
        device: str = "cpu",
    ) -> None:
        """`encoders` by the space they serve."""
        self._encoders = encoders
        self._specs: Mapping[str, AnalyzerSpec] = {}
        self._missing: Mapping[str, str] = {}
        self._missing_for_photos: Mapping[str, str] = {}
        self._starter = starter
        self._device = device
        self._texts: dict[_Models, EncoderChild] = {}
        self._photos = EncoderChild(starter, "imgd-likeness", device)
        self._background = asyncio.Lock()
        self._batches: dict[_Models, int] = {}
        self.faults: dict[str, str] = {}
        """Why the last words could not be encoded, by the space that they were meant for."""

    def offer(
        self,
        specs: Mapping[str, AnalyzerSpec],
        missing: Mapping[str, str],
        missing_for_photos: Mapping[str, str] | None = None,
    ) -> None:
        """Serve from now on the spaces of `specs`; `missing` says what to do about the others' models, and
        `missing_for_photos` about those that an encoder needs for photos only."""
        self._specs = specs
        self._missing = missing
        self._missing_for_photos = missing_for_photos or {}
        self.faults.clear()
        by_models: dict[_Models, dict[str, AnalyzerSpec]] = {models: {} for models in self._texts}
        for space, spec in specs.items():
            by_models.setdefault(self._models(space), {})[space] = spec
        for models, some in by_models.items():
            if models not in self._texts:
                self._texts[models] = EncoderChild(self._starter, "imgd-encoder", self._device)
            self._texts[models].serve(some)
        self._photos.serve(specs)

    def spaces(self) -> Sequence[str]:
        """Spaces into which an installed encoder can bring words, its model there or not."""
        return tuple(space for space, encoder in self._encoders.items() if encoder.words)

    def photo_edges(self) -> Mapping[str, int]:
        """Spaces into which an installed encoder can bring photos, its models there or not, with the longest edge
        in pixels that it wants of them."""
        return {space: encoder.edge for space, encoder in self._encoders.items() if encoder.edge}

    def of_texts(self) -> Collection[str]:
        """Spaces whose vectors are of texts about photos, and not of what photos look like."""
        return frozenset(space for space, encoder in self._encoders.items() if encoder.of_texts)

    def unable(self, *, photos: bool = False) -> Collection[str]:
        """Spaces into which an installed encoder cannot bring words as things are, or with `photos` no photos."""
        missing = self._encoders.keys() - self._specs.keys()
        if photos:
            return missing | self._missing_for_photos.keys()
        return missing | {space for space, encoder in self._encoders.items() if not encoder.words}

    def suffice(self, spaces: Collection[str]) -> bool:
        """Whether words and photos can be brought into `spaces` as things are, so that no others are needed."""
        encoders = [self._encoders[space] for space in spaces if space in self._encoders]
        has_all = any(each.words for each in encoders) and any(each.edge for each in encoders)
        return has_all and {*self.unable(), *self.unable(photos=True)}.isdisjoint(spaces)

    def background(self, space: str) -> Sequence[str]:
        return self._encoders[space].background_texts

    async def encode(
        self, space: str, texts: Sequence[str], *, background: bool = False
    ) -> npt.NDArray[np.float32]:
        """(len(texts), d) float32, rows L2-normalised.

        With `background` they are encoded in small batches, between which the texts of searches go first.

        Raises:
            ModelMissingError: the space's model is not in the model store.
            SearchError: the encoder failed, crashed, or took too long.
        """
        if space not in self._specs:
            raise ModelMissingError(f"the query encoder of {space}", hint=self._missing.get(space))
        if not texts:
            return np.empty((0, self._encoders[space].dimensions), np.float32)
        models = self._models(space)
        if not background:
            return await self._ask(space, texts)
        rows = []
        done = 0
        while done < len(texts):
            async with self._background:  # never two batches at once, of whatever request
                batch = texts[done : done + self._batches.get(models, _SMALLEST_BATCH)]
                began = time.monotonic()
                rows.append(await self._ask(space, batch))
                self._adapt(models, len(batch), time.monotonic() - began)
            done += len(batch)
        return np.concatenate(rows)

    async def _ask(self, space: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        try:
            rows = await self._texts[self._models(space)].ask(space, texts)
        except SearchError as error:
            self.faults[space] = error.detail
            raise
        self.faults.pop(space, None)
        return rows

    async def encode_photo(self, space: str, photo: PhotoToEncode) -> npt.NDArray[np.float32]:
        """(d,) float32, L2-normalised; zeros where the encoder finds nothing in it to compare by.

        Raises:
            ModelMissingError: a model that the encoder needs for photos is not in the model store.
            SearchError: the encoder failed, crashed, or took too long.
        """
        advice = self._missing.get(space) or self._missing_for_photos.get(space)
        if advice is not None or space not in self._specs:
            raise ModelMissingError(f"the query encoder of {space}", hint=advice)
        row: npt.NDArray[np.float32] = (await self._photos.ask(space, photo=photo))[0]
        return row

    async def stop(self) -> None:
        """End the children; the next request starts another."""
        await asyncio.gather(self._photos.stop(), *(each.stop() for each in self._texts.values()))

    def _models(self, space: str) -> _Models:
        """What the encoder of a space loads for texts: encoders of the same models share a child, since two of
        these would want the same cores, and twice the memory."""
        return tuple(sorted(self._encoders[space].requires))

    def _adapt(self, models: _Models, count: int, took_s: float) -> None:
        """Make the next batch as large as its time allows."""
        batch = self._batches.get(models, _SMALLEST_BATCH)
        if took_s > _BATCH_S:
            self._batches[models] = max(_SMALLEST_BATCH, batch // 2)
        elif count == batch and 2 * took_s <= _BATCH_S:
            self._batches[models] = min(_LARGEST_BATCH, 2 * batch)
