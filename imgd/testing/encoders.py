"""What every query encoder has to keep, as one call of a test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd.domain import Failure, PhotoInput
from imgd.pipeline.checked import check_finding
from imgd.pipeline.hosted import find_class, make_hosted
from imgd.pipeline.messages import AnalyzerSpec
from imgd.pipeline.plan import make_spec
from imgd.plugins import AnalyzerClass, EncoderClass
from imgd.testing.analyzers import TIMEOUT_S
from imgd.testing.apart import Progress, Report, run_apart
from imgd.testing.declarations import encoder_problems, make_settings
from imgd.testing.differences import TOLERANCE
from imgd.testing.photos import sized_photos
from imgd.testing.problems import ConformanceError
from imgd.testing.trial import Trial
from imgd.testing.watched import Watch

Rows = npt.NDArray[np.float32]

EMPTY = "the empty text"
TEXTS: Mapping[str, str] = {
    "a word": "dog",
    "a caption": "two dogs run along a beach at sunset",
    "another caption": "the front door of an old brick house",
    EMPTY: "",
    "a text of blanks": " \t\n ",
    "a very long text": "a long train of thought about trains " * 400,
    "a text in Chinese": "海滩上的狗",
    "a text from right to left": "כלב על החוף",
    "a text of emoji": "🐕\u200d🦺🏖️👩\u200d👩\u200d👧",
    "a text with combining marks": "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L͠",
    "a text with control characters": "dog\x00\x07\x1b[31m on a beach",
    "a text of punctuation": "?!... <|endoftext|> [SEP] </s>",
}
"""Texts that encoders stumble over, by what is special about each."""

_WORDLESS = (EMPTY, "a text of blanks", "a text of punctuation")


def check_query_encoder(
    encoder: EncoderClass,
    *,
    analyzer: AnalyzerClass | None = None,
    settings: object = None,
    model_dirs: Mapping[str, Path] | None = None,
    device: str = "cpu",
    texts: Mapping[str, str] | None = None,
    photos: Mapping[str, PhotoInput] | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> dict[str, Rows]:
    """Load `encoder` as imgd would, and try it on texts and photos of every awkward kind, alone and in batches.

    `analyzer` fills the encoder's space: each photo has to get the vector that it finds; without one, this is not
    looked at. `settings` are those of the section that both are given (`analyzer.settings_type()`, where None),
    `model_dirs` has the directory of every model that either requires. `texts` and `photos` come on top of the
    awkward ones, by a name for messages. Returns the vector of each, (dimensions,) float32, by its name.
    `timeout_s` is as for `check_analyzer`.

    Raises:
        ConformanceError: with everything that it does not keep.
    """
    name = getattr(encoder, "name", None) or str(encoder)
    made = settings if analyzer is None else make_settings(analyzer, settings)
    if problems := encoder_problems(encoder, analyzer, made, model_dirs or {}):
        raise ConformanceError(name, problems)
    arguments: dict[str, Any] = {
        "analyzer": None if analyzer is None else (analyzer.__module__, analyzer.__qualname__),
        "settings": made,
        "model_dirs": dict(model_dirs or {}),
        "device": device,
        "texts": {**TEXTS, **(texts or {})},
        "photos": dict(photos or {}),
    }
    if timeout_s is None:
        report = examine(encoder, progress=Progress(), **arguments)
    else:
        report = run_apart("imgd.testing.encoders:examine", encoder, arguments, timeout_s)
    if report.problems:
        raise ConformanceError(name, report.problems)
    return dict(report.outcomes)


def examine(encoder: EncoderClass, *, progress: Progress, **arguments: Any) -> Report:
    """All that needs an instance, in the process where it is to happen."""
    with tempfile.TemporaryDirectory(prefix="imgd-photos-") as folder:
        watch = Watch(Path(folder))
        try:
            return _Check(encoder, watch, progress, **arguments).run()
        finally:
            watch.close()


class _Check(Trial):
    """One instance for words and one for photos, as imgd has them, and all that is wrong with them."""

    def __init__(
        self,
        encoder: EncoderClass,
        watch: Watch,
        progress: Progress,
        *,
        analyzer: tuple[str, str] | None,
        settings: Any,
        model_dirs: Mapping[str, Path],
        device: str,
        texts: Mapping[str, str],
        photos: Mapping[str, PhotoInput],
    ) -> None:
        self._declared = encoder.configured(settings)
        place = self._declared.space, encoder.__module__, encoder.__qualname__
        super().__init__(AnalyzerSpec(*place, settings, dict(model_dirs)), device, watch, progress)
        self._analyzer = analyzer
        self._settings = settings
        self._model_dirs = model_dirs
        self._texts = texts
        edge = self._declared.edge
        self._photos = watch.place({**sized_photos(edge, inline=False), **photos}) if edge else {}
        self._failed: set[str] = set()

    def run(self) -> Report:
        rows: dict[str, Rows] = {}
        if self._declared.words:
            rows |= self._encode_all(self._texts, lambda encoder, batch: encoder.encode_texts(batch))
            self._check_texts(rows)
        if self._photos:
            found = self._find()
            photos = {name: photo for name, photo in self._photos.items() if name not in self._failed}
            seen = self._encode_all(photos, lambda encoder, batch: encoder.encode_photos(batch))
            self._compare(seen, found)
            rows |= seen
        self.check_conduct()
        return Report(rows, tuple(self.problems))

    def _check_texts(self, rows: Mapping[str, Rows]) -> None:
        for name, row in rows.items():
            if name not in _WORDLESS and not row.any():
                self.tell(f"{name}: a row of zeros; only a photo may have nothing to compare by")
        if len(rows) > 1 and len({row.tobytes() for row in rows.values()}) == 1:
            self.tell("every text has the same vector")

    def _encode_all(
        self, things: Mapping[str, Any], encode: Callable[[Any, Sequence[Any]], Any]
    ) -> dict[str, Rows]:
        """The vector of each, from a fresh instance: alone, alone again, and all at once in both orders."""
        instance = self.load()
        if instance is None:
            return {}
        alone = {
            name: rows[0]
            for name, thing in things.items()
            if len(rows := self._ask(instance, [name], [thing], encode))
        }
        names = list(alone)
        orders = [("the second time", [[name] for name in names])]
        orders += [("in a batch than alone", [names]), ("in a batch than alone", [names[::-1]])]
        for how, batches in orders:
            for batch in filter(None, batches):
                rows = self._ask(instance, batch, [things[name] for name in batch], encode)
                for name, row in zip(batch, rows, strict=False):
                    if np.abs(row - alone[name]).max() > TOLERANCE and row @ alone[name] < 1 - TOLERANCE:
                        self.tell(f"{name}: another vector {how}: a cosine of {float(row @ alone[name]):.4f}")
        self.close(instance)
        return alone

    def _ask(
        self, instance: Any, names: Sequence[str], things: Sequence[Any], encode: Callable[[Any, Any], Any]
    ) -> Sequence[Rows]:
        """The rows of one batch; none where they are not as declared."""
        what = names[0] if len(names) == 1 else f"a batch of {len(names)}"
        answered = self.ask(what, lambda: encode(instance, list(things)))
        if answered is None:
            return []
        (rows,) = answered
        shape = (len(things), self._declared.dimensions)
        if not isinstance(rows, np.ndarray) or rows.shape != shape:
            self.tell(f"{what}: it returns {_said(rows)}, not an array of {shape}")
            return []
        if rows.dtype != np.float32:
            self.tell(f"{what}: it returns {rows.dtype}, not float32")
            return []
        for name, row in zip(names, rows, strict=True):
            norm = float(np.linalg.norm(row.astype(np.float64)))
            if not (norm == 0 or abs(norm - 1) <= TOLERANCE):  # NaN is neither
                self.tell(f"{name}: its row is {norm:.4g} long, not 1")
                return []
        return list(rows)

    def _compare(self, rows: Mapping[str, Rows], found: Mapping[str, Rows]) -> None:
        """Photos after `like:` are compared with those of the library. A photo without a vector has no numbers."""
        for name in [each for each in found if each in rows]:
            values = found[name]
            if len(values) not in (0, self._declared.dimensions):
                self.tell(f"the analyzer's vectors have {len(values)} dimensions")
                return
            cosine = float(rows[name] @ values) if len(values) else 0.0
            if len(values) and cosine < 1 - TOLERANCE:
                self.tell(f"{name}: the analyzer finds another vector than its row (a cosine of {cosine:.4f})")
            elif not len(values) and rows[name].any():
                self.tell(f"{name}: the analyzer finds no vector, and its row is not zeros")

    def _find(self) -> dict[str, Rows]:
        """The vector of the space that the analyzer finds in each photo; one without numbers where it has none.
        Photos at which it fails are left out: of them there is nothing to compare."""
        if self._analyzer is None:
            return {}
        module, qualname = self._analyzer
        declared = find_class(module, qualname)
        edge = declared.configured(self._settings).needs.edge
        if edge != self._declared.edge:
            self.tell(f"its `edge` is {self._declared.edge}, and that of the analyzer {edge}")
            return {}
        self._progress("load the analyzer")
        instance = make_hosted(make_spec(declared, self._settings, self._model_dirs, None))
        instance.load(self._device)
        found: dict[str, Rows] = {}
        for name, photo in self._photos.items():
            self._progress(f"{name}, by the analyzer")
            (answer,) = instance.analyze([photo])
            if isinstance(answer, Failure):
                self._failed.add(name)
                continue
            vectors = check_finding(type(instance), answer).vectors
            data = [each.data for each in vectors if each.space == self._declared.space and each.region is None]
            found[name] = np.frombuffer(data[0] if data else b"", np.float16).astype(np.float32)
        instance.close()
        return found


def _said(rows: object) -> str:
    shape = getattr(rows, "shape", None)
    return f"{type(rows).__name__} of {shape}" if shape is not None else type(rows).__name__
