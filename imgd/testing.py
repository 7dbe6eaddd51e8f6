"""For authors of plugins: what every analyzer has to keep, as one call of a test.

from imgd.testing import check_analyzer

def test_it_keeps_the_contract():
    check_analyzer(Lightness)
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from imgd.decode.pyramid import pyramid
from imgd.domain import Device, Failure, Finding, PhotoInput, Picture, StoredFinding, StoredVector
from imgd.errors import ImgdError, PluginError
from imgd.hookspecs import hookimpl
from imgd.pipeline.checked import check_finding
from imgd.pipeline.hosted import describe_error, make_hosted
from imgd.pipeline.plan import make_spec
from imgd.plugins import AnalyzerClass, build_plugin_manager

Pixels = npt.NDArray[np.uint8]
Outcome = StoredFinding | Failure

TOLERANCE = 1e-3
"""How far numbers of one photo may differ from run to run, relative to the larger: threads sum in any order."""


class ConformanceError(PluginError):
    """The analyzer does not keep the contract."""

    hint = "docs/writing-plugins.md says what is asked of an analyzer, and why."

    def __init__(self, analyzer: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(analyzer + "".join(f"\n  {problem}" for problem in problems))


def check_analyzer(
    analyzer: AnalyzerClass,
    *,
    settings: object = None,
    model_dirs: Mapping[str, Path] | None = None,
    cache_dir: Path | None = None,
    device: str = "cpu",
    photos: Mapping[str, PhotoInput] | None = None,
) -> dict[str, Outcome]:
    """Load `analyzer` as imgd would, and try it on photos of every awkward shape, alone and in batches.

    `settings` are those of its section (its `settings_type()`, where None); `model_dirs` has the directory of
    every model it `requires`; `photos` come on top of the awkward ones, by a name for messages. Returns what it
    said of each photo, by name, for a test to look at further.

    Raises:
        ConformanceError: with everything that it does not keep.
    """
    check = _Check(analyzer, dict(model_dirs or {}), cache_dir, device)
    outcomes = check.run(settings, {**awkward_photos(analyzer), **(photos or {})})
    if check.problems:
        raise ConformanceError(getattr(analyzer, "name", str(analyzer)), check.problems)
    return outcomes


def make_photo(
    analyzer: AnalyzerClass, pixels: Pixels, *, photo_id: int = 1, path: str = "photo.jpg"
) -> PhotoInput:
    """The photo with the upright sRGB `pixels`, shape (h, w, 3), as `analyzer` receives it: scaled to its size by
    imgd itself, read-only, with the file's bytes (a JPEG) where it runs inline."""
    height, width = pixels.shape[:2]
    edge = analyzer.needs.edge
    scaled = pyramid(Picture(pixels, width, height), [edge])[edge] if edge else None
    if scaled is not None:
        scaled = scaled.copy()
        scaled.flags.writeable = False
    data = _jpeg(pixels) if analyzer.device is Device.CPU else b""
    return PhotoInput(photo_id, path, "jpeg", width, height, scaled, data)


def awkward_photos(analyzer: AnalyzerClass) -> dict[str, PhotoInput]:
    """Photos that analyzers stumble over, by what is special about each."""
    edge = analyzer.needs.edge or 64
    colours = _colours(edge * 3 // 4, edge)
    images = {
        "a photo of its full size": colours,
        "an upright photo": np.ascontiguousarray(colours.transpose(1, 0, 2)),
        "a photo larger than it needs": _colours(edge + edge // 2, edge * 2),
        "a photo smaller than it needs": _colours(max(1, edge // 3), max(1, edge // 2)),
        "a panorama": _colours(max(1, edge // 16), edge),
        "a black photo": np.zeros_like(colours),
        "a white photo": np.full_like(colours, 255),
        "a photo of one pixel": _colours(1, 1),
        "a photo of one row": _colours(1, min(edge, 40)),
        "a photo of two by three pixels": _colours(2, 3),
    }
    return {
        name: make_photo(analyzer, pixels, photo_id=number, path=f"/photos/{number}.jpg")
        for number, (name, pixels) in enumerate(images.items(), start=1)
    }


class _Check:
    def __init__(
        self, analyzer: AnalyzerClass, model_dirs: Mapping[str, Path], cache_dir: Path | None, device: str
    ) -> None:
        self._analyzer = analyzer
        self._model_dirs = model_dirs
        self._cache_dir = cache_dir
        self._device = device
        self.problems: list[str] = []

    def run(self, settings: object, photos: Mapping[str, PhotoInput]) -> dict[str, Outcome]:
        self._check_declaration(settings)
        if self.problems:
            return {}
        instance = self._load(settings)
        if instance is None:
            return {}
        alone = {
            name: outcome for name, photo in photos.items() for outcome in self._ask(instance, [name], [photo])
        }
        self._check_repeats(instance, photos, alone)
        self._check_batches(instance, photos, alone)
        if alone and all(isinstance(outcome, Failure) for outcome in alone.values()):
            reasons = {outcome.reason for outcome in alone.values() if isinstance(outcome, Failure)}
            self.problems.append(f"it fails at every photo: {'; '.join(sorted(reasons))}")
        try:
            instance.close()
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self.problems.append(f"close() raises {describe_error(error)}")
        return alone

    def _check_declaration(self, settings: object) -> None:
        registry = build_plugin_manager((_Plugin(self._analyzer),), selection="")
        registry.analyzers(None)
        self.problems += [status.error for status in registry.statuses.values() if status.error]
        if "<locals>" in self._analyzer.__qualname__:
            self.problems.append("the class stands inside a function: workers cannot import it from there")
        if missing := [name for name in self._analyzer.requires if name not in self._model_dirs]:
            self.problems.append(f"it requires {', '.join(missing)}: give their directories as `model_dirs`")
        if self._analyzer.wants_cache_dir and self._cache_dir is None:
            self.problems.append("it wants a cache directory: give one as `cache_dir`")
        try:
            pickle.dumps(settings)
        except Exception as error:  # noqa: BLE001 - pickling runs the plugin's code
            self.problems.append(f"its settings cannot be sent to a worker: {describe_error(error)}")

    def _load(self, settings: object) -> Any:
        try:
            if settings is None and self._analyzer.settings_type is not None:
                settings = self._analyzer.settings_type()
            cache_dir = self._cache_dir if self._analyzer.wants_cache_dir else None
            instance = make_hosted(make_spec(self._analyzer, settings, self._model_dirs, cache_dir))
            instance.load(self._device)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self.problems.append(f"it cannot be loaded: {describe_error(error)}")
            return None
        return instance

    def _ask(self, instance: Any, names: Sequence[str], photos: Sequence[PhotoInput]) -> list[Outcome]:
        """What it says of one batch, checked; nothing where it does not keep to one answer a photo."""
        what = names[0] if len(names) == 1 else f"a batch of {len(names)} photos"
        try:
            answers = list(instance.analyze(photos))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            self.problems.append(f"{what}: it raises {describe_error(error)}; return a Failure instead")
            return []
        if len(answers) != len(photos):
            self.problems.append(f"{what}: {len(answers)} answers for {len(photos)} photos")
            return []
        return [self._checked(name, answer) for name, answer in zip(names, answers, strict=True)]

    def _checked(self, name: str, answer: Finding | Failure) -> Outcome:
        if isinstance(answer, Failure):
            if not answer.reason.strip():
                self.problems.append(f"{name}: a Failure without a reason")
            return answer
        try:
            return check_finding(self._analyzer, answer)
        except ImgdError as error:
            self.problems.append(f"{name}: {error.detail}")
            return Failure(error.detail)

    def _check_repeats(
        self, instance: Any, photos: Mapping[str, PhotoInput], first: Mapping[str, Outcome]
    ) -> None:
        for name, outcome in first.items():
            # Neither the id nor the path is what a photo shows.
            again = self._ask(instance, [name], [replace(photos[name], photo_id=9_999_999)])
            if again and (difference := _difference(outcome, again[0])):
                self.problems.append(f"{name}: another finding the second time: {difference}")

    def _check_batches(
        self, instance: Any, photos: Mapping[str, PhotoInput], alone: Mapping[str, Outcome]
    ) -> None:
        size = self._analyzer.batch_size
        names = list(alone)
        for start in range(0, len(names) if size > 1 else 0, size):
            batch = names[start : start + size]
            together = self._ask(instance, batch, [photos[name] for name in batch])
            for name, outcome in zip(batch, together, strict=False):
                if difference := _difference(alone[name], outcome):
                    self.problems.append(f"{name}: another finding in a batch than alone: {difference}")


class _Plugin:
    """A plugin with this one analyzer."""

    def __init__(self, analyzer: AnalyzerClass) -> None:
        self._analyzer = analyzer

    @hookimpl
    def imgd_analyzers(self) -> list[AnalyzerClass]:
        return [self._analyzer]


def _difference(one: Any, other: Any, where: str = "") -> str:
    """Where two outcomes differ by more than TOLERANCE, or ""."""
    if isinstance(one, StoredVector) and isinstance(other, StoredVector):
        return _vector_difference(one, other)
    if isinstance(one, float) and isinstance(other, float):
        return "" if math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE) else f"{where} {one} {other}"
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(filter(None, (_difference(one[key], other[key], str(key)) for key in one)), "")
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return next(filter(None, (_difference(a, b, where) for a, b in zip(one, other, strict=True))), "")
    fields = getattr(type(one), "__dataclass_fields__", None)
    if fields is not None and type(one) is type(other):
        return next(filter(None, (_difference(getattr(one, f), getattr(other, f), f) for f in fields)), "")
    return "" if one == other else f"{where} {one!r} {other!r}".strip()


def _vector_difference(one: StoredVector, other: StoredVector) -> str:
    if (one.space, one.region, len(one.data)) != (other.space, other.region, len(other.data)):
        return f"a vector of {one.space} and one of {other.space}"
    cosine = float(
        np.frombuffer(one.data, np.float16).astype(np.float32)
        @ np.frombuffer(other.data, np.float16).astype(np.float32)
    )
    return "" if cosine > 1 - TOLERANCE else f"vectors of {one.space} with a cosine of {cosine:.4f}"


def _colours(height: int, width: int) -> Pixels:
    """A picture with gradients, edges and grain; always the same."""
    rows, columns = np.mgrid[0:height, 0:width]
    grain = np.random.default_rng(0).integers(0, 24, (height, width))
    channels = (
        rows * 200 // max(1, height - 1),
        columns * 200 // max(1, width - 1),
        ((rows // 8 + columns // 8) % 2) * 200,
    )
    return np.stack([(channel + grain).astype(np.uint8) for channel in channels], axis=-1)


def _jpeg(pixels: Pixels) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
