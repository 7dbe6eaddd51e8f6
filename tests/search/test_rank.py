"""Ranks fused, and what counts as named exactly."""

from __future__ import annotations

import pytest

from imgd.index.words import Entries
from imgd.search.rank import Ranking, fuse, is_exact


def test_a_photo_first_in_every_ranking_has_the_full_score():
    fused = fuse([Ranking(1.0, [1, 2]), Ranking(0.5, [1, 3]), Ranking(1.0, [])])
    assert fused[1] == pytest.approx(1.0)
    assert fused[1] > fused[2] > fused[3] > 0


def test_agreement_of_rankings_beats_one_high_rank():
    fused = fuse([Ranking(1.0, [1, 2]), Ranking(1.0, [3, 2])])
    assert max(fused, key=lambda photo: fused[photo]) == 2


def test_nothing_found_is_nothing_fused():
    assert fuse([Ranking(1.0, [])]) == {}


@pytest.mark.parametrize("asked", ["Golden  retriever", "ANNA k", "Café", "cafe", "img_12.jpg", "IMG_12"])
def test_people_tags_and_file_names_count_as_exact_without_case_and_accents(asked):
    assert is_exact(asked, Entries(("Anna K",), ("golden retriever", "café"), "IMG_12.jpg"))


@pytest.mark.parametrize("asked", ["retriever", "anna", "12", "jpg", ""])
def test_a_part_is_not_exact(asked):
    assert not is_exact(asked, Entries(("Anna K",), ("golden retriever",), "IMG_12.jpg"))
