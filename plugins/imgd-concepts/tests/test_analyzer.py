from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.settings import ConceptSettings

from imgd import Finding, PhotoInput
from imgd.testing import check_analyzer

Sample = Callable[[str], PhotoInput]
MakePhoto = Callable[[npt.NDArray[np.uint8]], PhotoInput]


def finding_of(analyzer: ConceptAnalyzer, photo: PhotoInput) -> Finding:
    (finding,) = analyzer.analyze([photo])
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chelsea.png", {"cat"}),
        ("rocket.jpg", {"missile", "projectile"}),
        ("coffee.png", {"cup", "espresso"}),
        ("astronaut.png", {"person"}),
    ],
)
def test_a_photo_is_tagged_with_what_it_shows(
    analyzer: ConceptAnalyzer, sample: Sample, name: str, words: set[str]
) -> None:
    tags = {tag.label: tag.score for tag in finding_of(analyzer, sample(name)).tags}
    assert words & tags.keys()
    assert list(tags.values()) == sorted(tags.values(), reverse=True)
    assert all(0 < score <= 1 for score in tags.values())


def test_an_object_is_a_region_inside_the_photo_and_is_counted(analyzer: ConceptAnalyzer, sample: Sample) -> None:
    finding = finding_of(analyzer, sample("astronaut.png"))
    people = [region for region in finding.regions if region.label == "person"]
    left, top, width, height = people[0].box
    assert people[0].kind == "object"
    assert left >= 0
    assert top >= 0
    assert left + width <= 1 + 1e-6
    assert top + height <= 1 + 1e-6
    assert width * height > 0.2
    assert finding.facts["objects"]["person"] == len(people)  # type: ignore[index, call-overload]


def test_the_vector_is_of_length_one(analyzer: ConceptAnalyzer, sample: Sample) -> None:
    (vector,) = finding_of(analyzer, sample("coffee.png")).vectors
    assert vector.values.shape == (384,)
    assert np.linalg.norm(vector.values) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("threads", [2, 8])
def test_it_keeps_the_contract(model_dirs: Mapping[str, Path], threads: int) -> None:
    check_analyzer(
        ConceptAnalyzer,
        settings=ConceptSettings(threads=threads),
        model_dirs=model_dirs,
        rare_facts=ConceptAnalyzer.facts,
    )


def test_a_photo_has_the_same_finding_alone_and_in_any_batch(analyzer: ConceptAnalyzer, sample: Sample) -> None:
    photos = [sample(name) for name in ("chelsea.png", "rocket.jpg", "coffee.png", "astronaut.png")]
    alone = [finding_of(analyzer, photo) for photo in photos]
    for batch in (photos, photos[::-1], photos * 3):
        for photo, finding in zip(batch, analyzer.analyze(batch), strict=True):
            expected = alone[photos.index(photo)]
            assert isinstance(finding, Finding)
            assert (finding.tags, finding.regions, finding.facts) == (
                expected.tags,
                expected.regions,
                expected.facts,
            )
            np.testing.assert_array_equal(finding.vectors[0].values, expected.vectors[0].values)


@pytest.mark.parametrize("shape", [(1, 1), (1, 320), (320, 1), (2, 3), (320, 12), (320, 320)])
def test_tiny_and_long_photos_get_a_finding(
    analyzer: ConceptAnalyzer, photo: MakePhoto, shape: tuple[int, int]
) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for pixels in (noise, np.zeros_like(noise)):
        finding = finding_of(analyzer, photo(pixels))
        assert all(np.isfinite(vector.values).all() for vector in finding.vectors)


def test_thresholds_decide_what_becomes_a_tag(model_dirs: Mapping[str, Path], sample: Sample) -> None:
    settings = ConceptSettings(threads=1, label_threshold=1.0, object_threshold=1.0, evidence_threshold=1.0)
    strict = ConceptAnalyzer(settings, model_dirs)
    strict.load("cpu")
    finding = finding_of(strict, sample("chelsea.png"))
    strict.close()
    assert list(finding.tags) == []
    assert list(finding.regions) == []
    assert len(finding.vectors) == 1


def test_a_photo_in_which_nothing_is_counted_says_so(analyzer: ConceptAnalyzer, photo: MakePhoto) -> None:
    assert finding_of(analyzer, photo(np.zeros((240, 320, 3), np.uint8))).facts == {"objects": {}}


def test_weak_objects_are_evidence_but_are_not_counted(model_dirs: Mapping[str, Path], sample: Sample) -> None:
    findings = []
    for threshold in (0.0, 0.9):
        settings = ConceptSettings(threads=1, object_threshold=threshold, object_thresholds={"person": 0.5})
        looking = ConceptAnalyzer(settings, model_dirs)
        looking.load("cpu")
        findings.append(finding_of(looking, sample("astronaut.png")))
        looking.close()
    lenient, strict = findings
    assert len(lenient.regions) > len(strict.regions)
    assert strict.facts == {"objects": {"person": 1}}
    assert list(lenient.tags) == list(strict.tags)
    assert len(strict.tags) > 1
    np.testing.assert_array_equal(lenient.vectors[0].values, strict.vectors[0].values)
