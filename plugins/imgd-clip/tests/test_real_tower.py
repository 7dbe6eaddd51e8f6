"""The real image tower, int8: its activations are quantized by their range, so it sees one photo at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from imgd_clip.analyzer import ClipAnalyzer
from imgd_clip.models import IMAGES_ONLY
from imgd_clip.settings import ClipSettings

from imgd import Finding, PhotoInput
from imgd.testing import check_analyzer, make_photo

SETTINGS = ClipSettings(model=IMAGES_ONLY.model.name, threads=2)
CorpusPhotos = Callable[..., list[npt.NDArray[np.uint8]]]


def vectors(analyzer: ClipAnalyzer, photos: list[PhotoInput]) -> npt.NDArray[np.float32]:
    return np.stack([each.vectors[0].values for each in analyzer.analyze(photos) if isinstance(each, Finding)])


def test_it_keeps_the_contract(real_images: Mapping[str, Path]) -> None:
    check_analyzer(ClipAnalyzer, settings=SETTINGS, model_dirs=real_images)


def test_a_real_photos_vector_is_the_same_alone_and_in_any_batch(
    real_images: Mapping[str, Path], corpus_photos: CorpusPhotos
) -> None:
    declared = ClipAnalyzer.configured(SETTINGS)
    photos = [make_photo(declared, pixels) for pixels in corpus_photos(6)]
    analyzer = declared(SETTINGS, real_images)
    analyzer.load("cpu")
    alone = np.concatenate([vectors(analyzer, [photo]) for photo in photos])
    np.testing.assert_array_equal(vectors(analyzer, photos), alone)
    np.testing.assert_array_equal(vectors(analyzer, photos[::-1]), alone[::-1])
    assert (alone @ alone.T)[np.triu_indices(6, 1)].max() < 0.95
    analyzer.close()
