from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from imgd import Analyzer, Failure, Finding, Region, Tag, Text, Vector
from imgd.errors import PluginError
from imgd.pipeline.checked import MAX_TEXT_CHARS, check_finding, plain_finding
from imgd.pipeline.messages import AnalyzerOutcome

BOX = (0.0, 0.0, 0.5, 0.5)


class Declared(Analyzer[None]):
    name = "declared"
    version = "1"
    facts: ClassVar = {"sharp": float, "count": int, "camera": str, "flash": bool}

    def analyze(self, photos):
        return [Finding() for _ in photos]


class Counts(Declared):
    facts: ClassVar = {
        "objects.*": int, "objects.cat": int, "moods.*": float, "shapes.*": str, "lit.*": bool, "sharp": float,
    }  # fmt: skip


def count(**facts):
    return check_finding(Counts, Finding(facts=facts))


def check(**parts):
    return check_finding(Declared, Finding(**parts))


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"facts": {"x": float("nan")}}, "fact x is nan"),
        ({"facts": {"x": np.float32("inf")}}, "fact x is inf"),
        ({"facts": {"x": [1, {"y": float("nan")}]}}, "fact x.y is nan"),
        ({"facts": {"x": b"bytes"}}, "fact x is a bytes"),
        ({"facts": {"x": np.zeros(3)}}, "fact x is a ndarray"),
        ({"facts": {"x": {1, 2}}}, "fact x is a set"),
        ({"facts": {"x": 2**64}}, "64 bits"),
        ({"facts": {"sharp": "very"}}, "declared float and is 'very'"),
        ({"facts": {"sharp": True}}, "declared float and is True"),
        ({"facts": {"count": 1.5}}, "declared int and is 1.5"),
        ({"facts": {"count": True}}, "declared int and is True"),
        ({"facts": {"camera": 7}}, "declared str and is 7"),
        ({"facts": {"flash": 1}}, "declared bool and is 1"),
        ({"facts": {"camera": ["a"]}}, "declared str"),
        ({"facts": None}, "not as imgd.Finding declares"),
        ({"texts": [Text("caption", None)]}, "not as imgd.Finding declares"),  # type: ignore[arg-type]
        ({"tags": [Tag("dog", 1.5)]}, "score of a tag is 1.5"),
        ({"tags": [Tag("dog", -0.1)]}, "score of a tag is -0.1"),
        ({"tags": [Tag("dog", float("nan"))]}, "score of a tag is nan"),
        ({"tags": [Tag("dog", None)]}, "not as imgd.Finding declares"),  # type: ignore[arg-type]
        ({"tags": [Tag(" \0\n")]}, "without a label"),
        ({"regions": [Region("face", (0, 0, 1))]}, "box of a region"),  # type: ignore[arg-type]
        ({"regions": [Region("face", (0, 0, 1, float("nan")))]}, "box of a region"),
        ({"regions": [Region("face", (10, 10, 200, 200))]}, "box of a region"),
        ({"regions": [Region("face", BOX, score=2)]}, "score of a region is 2"),
        ({"regions": [Region("face", BOX, landmarks=((0.1, float("nan")),))]}, "landmark"),
        ({"regions": [Region("face", BOX, quality=1.5)]}, "quality of a region is 1.5"),
        ({"vectors": [Vector("s", np.array([1.0, np.nan]))]}, "NaN"),
        ({"vectors": [Vector("s", np.array([1.0, np.inf]))]}, "NaN"),
        ({"vectors": [Vector("s", np.zeros(4))]}, "only zeros"),
        ({"vectors": [Vector("s", np.ones((1, 4)))]}, r"shape \(1, 4\)"),
        ({"vectors": [Vector("s", np.ones(0))]}, r"shape \(0,\)"),
        ({"vectors": [Vector("s", np.float64(1))]}, r"shape \(\)"),  # type: ignore[arg-type]
        ({"vectors": [Vector("s", [[1.0], [1.0, 2.0]])]}, "not as imgd.Finding declares"),  # type: ignore[arg-type]
        ({"vectors": [Vector("s", np.ones(2), region=0)]}, "region 0 of 0"),
        ({"regions": [Region("face", BOX)], "vectors": [Vector("s", np.ones(2), region=1)]}, "region 1 of 1"),
        ({"regions": [Region("face", BOX)], "vectors": [Vector("s", np.ones(2), region=-1)]}, "region -1 of 1"),
    ],
)
def test_nonsense_is_refused_with_the_analyzers_name_and_a_reason(parts, problem):
    with pytest.raises(PluginError, match=problem) as caught:
        check(**parts)
    assert "analyzer declared: " in str(caught.value)


@pytest.mark.parametrize("answer", [None, {}, Failure("no"), Finding])
def test_what_is_no_finding_is_refused(answer):
    with pytest.raises(PluginError, match="not a Finding or a Failure"):
        check_finding(Declared, answer)


def test_numpy_scalars_become_plain_values():
    facts = check(
        facts={
            "sharp": np.float32(0.5),
            "count": np.int64(3),
            "flash": np.bool_(True),
            "camera": np.str_("X100"),
            "other": (np.uint8(1), {"a": np.float16(2)}),
        }
    ).facts
    assert facts == {"sharp": 0.5, "count": 3, "flash": True, "camera": "X100", "other": [1, {"a": 2.0}]}
    assert [type(facts[key]) for key in ("sharp", "count", "flash", "camera")] == [float, int, bool, str]


def test_declared_facts_become_filterable_and_others_do_not():
    stored = check(facts={"sharp": 1, "camera": "X100", "flash": False, "count": None, "other": 5})
    assert stored.filterable == [("sharp", 1.0, None), ("camera", None, "X100"), ("flash", 0.0, None)]
    assert stored.facts["other"] == 5


def test_counts_become_filterable_with_their_sum_and_without_what_is_counted_none():
    members = {"person": np.int64(2), "Dining Table": 1, "dog": 0, "T-shirt": None}
    stored = count(objects=members, sharp=0.5)
    assert sorted(stored.filterable) == [
        ("objects", 3.0, None), ("objects.dining_table", 1.0, None), ("objects.person", 2.0, None),
        ("sharp", 0.5, None),
    ]  # fmt: skip
    assert stored.facts["objects"] == {"person": 2, "Dining Table": 1, "dog": 0, "T-shirt": None}


def test_what_was_counted_and_not_found_differs_from_what_was_not_counted():
    assert count(objects={}).filterable == [("objects", 0.0, None)]
    assert count().filterable == count(objects=None).filterable == []


def test_members_of_other_families_have_no_sum():
    stored = count(moods={"calm": 1, "sad": -0.5}, shapes={"Round": "very"}, lit={"left": False})
    assert stored.filterable == [
        ("moods.calm", 1.0, None), ("moods.sad", -0.5, None), ("shapes.round", None, "very"),
        ("lit.left", 0.0, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"objects": 3}, "fact objects was declared a family, a dict, and is 3"),
        ({"objects": ["person"]}, "fact objects was declared a family"),
        ({"objects": {"person": 1.5}}, "fact objects.person was declared int and is 1.5"),
        ({"objects": {"person": True}}, "fact objects.person was declared int and is True"),
        ({"objects": {"person": -1}}, "fact objects.person counts -1; a count is 0 or more"),
        ({"objects": {"a b": 1, "A_b": 1}}, "fact objects has two members that are `objects.a_b`"),
        ({"objects": {"***": 1}}, "is no name of a member of objects"),
        ({"objects": {f"n{number}": 1 for number in range(1001)}}, "fact objects has 1001 members; 1000 are"),
        ({"shapes": {"round": 1}}, "fact shapes.round was declared str and is 1"),
        ({"lit": {"left": 1}}, "fact lit.left was declared bool and is 1"),
    ],
)
def test_a_family_that_is_not_as_it_was_declared_is_refused(facts, problem):
    with pytest.raises(PluginError, match=r"analyzer declared: ") as refused:
        count(**facts)
    assert problem in refused.value.detail


def test_vectors_become_normalised_float16():
    stored = check(vectors=[Vector("s", np.array([3.0, 4.0])), Vector("s", np.array([3e30, 4e30], np.float32))])
    for vector in stored.vectors:
        values = np.frombuffer(vector.data, np.float16)
        np.testing.assert_array_equal(values, np.array([0.6, 0.8], np.float16))


def test_scores_that_rounding_pushed_over_the_edge_are_brought_back():
    stored = check(tags=[Tag("a", 1.0000001), Tag("b", np.float32(-1e-8))])
    assert [tag.score for tag in stored.tags] == [1.0, 0.0]


def test_text_is_cut_and_cleaned_of_what_cannot_be_stored():
    stored = check(
        facts={"a\ud800": "b\ud800"},
        texts=[Text("caption", "a\0b\ud800"), Text("text", " \n"), Text("text", "x" * (MAX_TEXT_CHARS + 1))],
        tags=[Tag("  New \0 York\n")],
    )
    assert stored.facts == {"a?": "b?"}
    assert [text.text[:10] for text in stored.texts] == ["ab?", "x" * 10]
    assert len(stored.texts[1].text) == MAX_TEXT_CHARS
    assert stored.tags[0].label == "New York"


def test_a_checked_finding_travels_between_processes_unchanged():
    import msgspec

    stored = check(
        facts={"sharp": 0.5, "nested": {"a": [1, None, True]}},
        texts=[Text("caption", "a dog")],
        tags=[Tag("dog", 0.5)],
        regions=[Region("face", BOX, landmarks=((0.1, 0.2),))],
        vectors=[Vector("s", np.ones(3), region=0)],
    )
    sent = msgspec.msgpack.encode(AnalyzerOutcome("declared", stored))
    assert msgspec.msgpack.decode(sent, type=AnalyzerOutcome).finding == stored


def test_whoever_reads_a_finding_gets_it_as_it_was_made_without_vectors():
    made = Finding(facts={"sharp": 0.5}, texts=(Text("caption", "a dog"),), tags=(Tag("dog", 0.5),))
    assert plain_finding(check_finding(Declared, made)) == made
