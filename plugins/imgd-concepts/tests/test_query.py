from collections.abc import Callable

import numpy as np
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.query import ConceptQueryEncoder
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
