"""Photos by what has been said of them, with the real text model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from imgd_concepts.descriptions import (
    SPACE,
    DescriptionAnalyzer,
    DescriptionQueryEncoder,
    DescriptionSettings,
)
from imgd_concepts.models import TEXT_ENCODER

from imgd import Device, Finding, PhotoInput, Text
from imgd.testing import check_analyzer, check_query_encoder

CAPTIONS = (
    "A tabby sleeping on the radiator",
    "The harbour at dawn, fishing boats leaving",
    "Anna blows out the candles of her birthday cake",
)


def described(*captions: str, by: str = "metadata", photo_id: int = 1) -> PhotoInput:
    texts = [Text("caption", caption) for caption in captions]
    return PhotoInput(photo_id, "photo.jpg", "jpeg", 640, 480, findings={by: Finding(texts=texts)})


@pytest.fixture(scope="module")
def text_model(model_dirs: Mapping[str, Path]) -> Mapping[str, Path]:
    """The one model that descriptions need."""
    return {TEXT_ENCODER.name: model_dirs[TEXT_ENCODER.name]}


@pytest.fixture(scope="module")
def analyzer(text_model: Mapping[str, Path]) -> DescriptionAnalyzer:
    loaded = DescriptionAnalyzer(DescriptionSettings(threads=1), text_model)
    loaded.load("cpu")
    return loaded


@pytest.fixture(scope="module")
def encoder(text_model: Mapping[str, Path]) -> DescriptionQueryEncoder:
    loaded = DescriptionQueryEncoder(DescriptionSettings(threads=1), text_model)
    loaded.load("cpu")
    return loaded


def vectors(analyzer: DescriptionAnalyzer, photo: PhotoInput) -> np.ndarray:
    """(n, 384): what the photo's finding has in the space, and nothing else is in the finding."""
    (finding,) = analyzer.analyze([photo])
    assert isinstance(finding, Finding)
    assert finding == Finding(vectors=finding.vectors)
    assert {vector.space for vector in finding.vectors} <= {SPACE}
    return np.array([vector.values for vector in finding.vectors]).reshape(-1, 384)


def test_the_analyzer_keeps_the_contract(text_model: Mapping[str, Path]) -> None:
    photos = {caption: described(caption) for caption in CAPTIONS}
    outcomes = check_analyzer(DescriptionAnalyzer, model_dirs=text_model, photos=photos)
    assert all(len(outcomes[caption].vectors) == 1 for caption in CAPTIONS)  # type: ignore[union-attr]


def test_the_encoder_keeps_the_contract(text_model: Mapping[str, Path]) -> None:
    rows = check_query_encoder(DescriptionQueryEncoder, settings=DescriptionSettings(), model_dirs=text_model)
    assert rows["a word"].shape == (384,)


def test_it_works_on_findings_alone_and_needs_the_text_model_alone() -> None:
    assert DescriptionAnalyzer.needs.edge == 0
    assert DescriptionAnalyzer.device is Device.MODEL
    assert DescriptionAnalyzer.after == ("metadata", "caption")
    assert DescriptionAnalyzer.requires == DescriptionQueryEncoder.requires == (TEXT_ENCODER.name,)
    assert (DescriptionQueryEncoder.space, DescriptionQueryEncoder.edge) == (SPACE, 0)
    assert DescriptionQueryEncoder.of_texts


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("cat dozing on a heater", 0),
        ("sunrise over the port", 1),
        ("birthday party", 2),
        ("kitten", 0),
        ("sea", 1),
    ],
)
def test_other_words_find_the_caption_that_means_the_same(
    analyzer: DescriptionAnalyzer, encoder: DescriptionQueryEncoder, query: str, row: int
) -> None:
    stored = np.concatenate([vectors(analyzer, described(caption)) for caption in CAPTIONS])
    assert (stored @ encoder.encode_texts([query])[0]).argmax() == row


def test_each_sentence_of_all_captions_has_a_vector(analyzer: DescriptionAnalyzer) -> None:
    findings = {
        "metadata": Finding(texts=[Text("caption", f"{CAPTIONS[0]}. {CAPTIONS[1]}."), Text("place", "Hamburg")]),
        "caption": Finding(texts=[Text("caption", CAPTIONS[2]), Text("caption", CAPTIONS[0].lower())]),
    }
    found = vectors(analyzer, PhotoInput(1, "photo.jpg", "jpeg", 640, 480, findings=findings))
    alone = np.concatenate([vectors(analyzer, described(caption)) for caption in CAPTIONS])
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize(
    "findings",
    [
        {},
        {"metadata": Finding(texts=[Text("place", "Hamburg, Germany"), Text("camera", "Canon EOS 6D")])},
        {"metadata": Finding(texts=[Text("caption", "DSC00019")])},
        {"ocr": Finding(texts=[Text("caption", "by somebody who is not asked")])},
    ],
)
def test_a_photo_of_which_nothing_was_said_has_no_vector(
    analyzer: DescriptionAnalyzer, findings: Mapping[str, Finding]
) -> None:
    assert not len(vectors(analyzer, PhotoInput(1, "photo.jpg", "jpeg", 640, 480, findings=findings)))


def test_a_caption_has_the_vector_of_the_query_that_is_worded_like_it(
    analyzer: DescriptionAnalyzer, encoder: DescriptionQueryEncoder
) -> None:
    (vector,) = vectors(analyzer, described(f"{CAPTIONS[0]}!", by="caption"))
    np.testing.assert_array_equal(vector, encoder.encode_texts([f" {CAPTIONS[0]} "])[0])
