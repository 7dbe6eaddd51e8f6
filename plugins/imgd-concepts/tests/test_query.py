from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.query import ConceptQueryEncoder
from imgd_concepts.settings import ConceptSettings
from imgd_concepts.space import concept_sentence

from imgd import Finding, PhotoInput

NAMES = ["chelsea.png", "rocket.jpg", "coffee.png", "astronaut.png"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("a cat looking at you", "chelsea.png"),
        ("kitten", "chelsea.png"),
        ("spaceship launch", "rocket.jpg"),
        ("a hot drink", "coffee.png"),
        ("somebody smiling", "astronaut.png"),
    ],
)
def test_words_find_the_photo_they_describe(
    analyzer: ConceptAnalyzer,
    encoder: ConceptQueryEncoder,
    sample: Callable[[str], PhotoInput],
    query: str,
    name: str,
) -> None:
    findings = analyzer.analyze([sample(each) for each in NAMES])
    vectors = [finding.vectors[0].values for finding in findings if isinstance(finding, Finding)]
    similarity = np.stack(vectors) @ encoder.encode_texts([query])[0]
    assert NAMES[int(similarity.argmax())] == name


def test_a_text_has_the_same_vector_alone_and_among_others(encoder: ConceptQueryEncoder) -> None:
    texts = ["dog", "", "a long sentence about three sheep on a green hill " * 30, "犬"]
    together = encoder.encode_texts(texts)
    assert together.shape == (4, encoder.dimensions)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(encoder.encode_texts([text])[0], together[row])


def test_no_text_gives_no_vector(encoder: ConceptQueryEncoder) -> None:
    assert encoder.encode_texts([]).shape == (0, encoder.dimensions)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("dog", "a photo of a dog"),
        ("A dog.", "a photo of a dog"),
        ("a picture of the sea", "a photo of a sea"),
        ("photos of An owl", "a photo of a owl"),
        ("the", "a photo of a the"),
        ("photographer", "a photo of a photographer"),
        ("man taking a photo of a dog", "a photo of a man taking a photo of a dog"),
    ],
)
def test_queries_are_worded_as_the_labels_are(query: str, sentence: str) -> None:
    assert concept_sentence(query) == sentence


def test_background_texts_are_many_short_and_distinct() -> None:
    texts = ConceptQueryEncoder.background_texts
    assert 300 <= len(texts) <= 1000
    assert len(set(texts)) == len(texts)
    assert all(0 < len(text) <= 40 for text in texts)


def test_a_photo_has_the_vector_that_the_analyzer_gives_it(
    analyzer: ConceptAnalyzer, encoder: ConceptQueryEncoder, sample: Callable[[str], PhotoInput]
) -> None:
    photos = [sample(each) for each in NAMES]
    rows = encoder.encode_photos(photos)
    assert (rows.dtype, rows.shape) == (np.float32, (len(NAMES), encoder.dimensions))
    for row, finding in zip(rows, analyzer.analyze(photos), strict=True):
        assert isinstance(finding, Finding)
        np.testing.assert_array_equal(row, finding.vectors[0].values)
    np.testing.assert_array_equal(encoder.encode_photos(photos[:1])[0], rows[0])


@pytest.mark.parametrize("shape", [(1, 1), (1, 320), (2, 3), (320, 320)])
def test_a_photo_of_nothing_gives_a_vector_of_length_one_or_zeros(
    encoder: ConceptQueryEncoder,
    photo: Callable[[npt.NDArray[np.uint8]], PhotoInput],
    shape: tuple[int, int],
) -> None:
    for pixels in (
        np.zeros((*shape, 3), np.uint8),
        np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8),
    ):
        length = float(np.linalg.norm(encoder.encode_photos([photo(pixels)])[0]))
        assert length == pytest.approx(1, abs=1e-5) or length == 0


def test_words_need_no_model_that_looks_at_photos(model_dirs: Mapping[str, Path]) -> None:
    alone = ConceptQueryEncoder(
        ConceptSettings(), {name: model_dirs[name] for name in ConceptQueryEncoder.requires}
    )
    alone.load("cpu")
    assert alone.encode_texts(["dog"]).shape == (1, alone.dimensions)
    alone.close()
    assert {*ConceptQueryEncoder.requires, *ConceptQueryEncoder.photo_requires} == set(ConceptAnalyzer.requires)
    assert ConceptQueryEncoder.edge == ConceptAnalyzer.needs.edge
