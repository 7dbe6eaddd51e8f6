"""Objects: which there are, from which score they are counted, and that each is counted once."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.detector import Detector, read_labels
from imgd_concepts.models import DETECTOR
from imgd_concepts.objects import COUNTED_FROM, MEASURED, OBJECTS, counting_thresholds
from imgd_concepts.overlap import SAME_OBJECT, overlap, without_duplicates
from imgd_concepts.settings import ConceptSettings
from PIL import Image, ImageOps

from imgd import Region
from imgd.config import KnownAnalyzers, load, settings_digest
from imgd.errors import ConfigError
from imgd.facts import facts_problem, member_key

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"


def region(label: str, left: float, score: float, width: float = 0.2) -> Region:
    return Region("object", (left, 0.1, width, 0.5), label, score)


def test_the_classes_are_labels_of_the_model(model_dirs: Mapping[str, Path]) -> None:
    labels = read_labels(model_dirs[DETECTOR.name])
    assert len(set(OBJECTS)) == 80
    assert set(OBJECTS) < set(labels)
    assert [name for name in labels if name in OBJECTS] == list(OBJECTS)


def test_every_class_is_declared_as_a_member_of_the_family() -> None:
    assert facts_problem(ConceptAnalyzer.facts) == ""
    assert set(ConceptAnalyzer.facts) == {"objects.*", *(member_key("objects", name) for name in OBJECTS)}


def test_measured_thresholds_are_of_classes_and_near_the_common_one() -> None:
    assert set(MEASURED) < set(OBJECTS)
    assert all(abs(value - COUNTED_FROM) <= 0.15 for value in MEASURED.values())
    assert counting_thresholds(COUNTED_FROM, {})["person"] == pytest.approx(MEASURED["person"])


def test_measured_thresholds_move_with_the_common_one_and_those_that_are_set_do_not() -> None:
    thresholds = ConceptSettings(object_threshold=0.6, object_thresholds={"dog": 0.2}).thresholds()
    assert thresholds["zebra"] == pytest.approx(0.6)
    assert thresholds["person"] == pytest.approx(0.6 + MEASURED["person"] - COUNTED_FROM)
    assert thresholds["dog"] == 0.2
    assert all(0.85 <= value <= 1 for value in ConceptSettings(object_threshold=1.0).thresholds().values())


def test_the_order_of_thresholds_makes_no_finding_stale() -> None:
    one, other = ConceptSettings(object_thresholds={"cat": 0.5, "dog": 0.6}), {"dog": 0.6, "cat": 0.5}
    assert settings_digest(one) == settings_digest(ConceptSettings(object_thresholds=other))
    assert settings_digest(one) != settings_digest(ConceptSettings(object_thresholds={"cat": 0.5, "dog": 0.7}))


@pytest.mark.parametrize(
    ("thresholds", "problem"),
    [
        ("{ persn = 0.5 }", "`persn`, which is no class of objects; did you mean `person`?"),
        ("{ dining_table = 0.5 }", "did you mean `dining table`?"),
        ("{ unicorn = 0.5 }", "`unicorn`, which is no class of objects; README.md of imgd-concepts lists them"),
        ("{ person = 1.5 }", "<= 1.0"),
        ('{ person = "high" }', "expected `float`, got `str`"),
        ("0.5", "expected `object`, got `float`"),
    ],
)
def test_a_threshold_of_no_class_or_no_number_is_refused(tmp_path: Path, thresholds: str, problem: str) -> None:
    config = tmp_path / "imgd.toml"
    config.write_text(f"[analyzers.concepts]\nobject_thresholds = {thresholds}\n")
    schemas = KnownAnalyzers({"concepts": ConceptSettings}, complete=True)
    with pytest.raises(ConfigError) as refused:
        load(config, lambda _: schemas)
    assert problem in str(refused.value)
    assert "line " in str(refused.value)


def test_boxes_that_overlap_are_one_object_where_they_are_of_one_class() -> None:
    best, twin, apart = region("dog", 0.10, 0.9), region("dog", 0.14, 0.8), region("dog", 0.25, 0.7)
    other = region("cat", 0.10, 0.6)
    assert overlap(best.box, twin.box) == pytest.approx(0.16 / 0.24)
    assert overlap(best.box, region("dog", 0.5, 0.9).box) == 0
    assert without_duplicates([best, twin, apart, other]) == [best, apart, other]


def test_counts_of_annotated_photos_are_as_right_as_they_were_measured(model_dirs: Mapping[str, Path]) -> None:
    if not CORPUS.is_dir():
        pytest.skip("the photo corpus is not there")
    directory = model_dirs[DETECTOR.name]
    detector = Detector(directory, read_labels(directory))
    thresholds = ConceptSettings().thresholds()
    right = found = there = 0
    for name, entry in json.loads((CORPUS / "gt" / "semantic.json").read_bytes()).items():
        if entry["kind"] != "coco" or not entry.get("objects"):
            continue
        with Image.open(CORPUS / name) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((320, 320), Image.Resampling.BICUBIC)
        regions = [
            each for each in detector.detect(np.asarray(upright), 0.2) if each.score >= thresholds[each.label]
        ]
        for one, other in combinations(regions, 2):
            assert one.label != other.label or overlap(one.box, other.box) <= SAME_OBJECT, name
        counts, annotated = (
            Counter(each.label for each in regions),
            Counter(label for label, *_ in entry["objects"]),
        )
        right += (counts & annotated).total()
        found += counts.total()
        there += annotated.total()
    assert there == 353
    assert 2 * right / (found + there) >= 0.70
