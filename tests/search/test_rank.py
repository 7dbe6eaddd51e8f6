"""Who matches at all, and in which order."""

from __future__ import annotations

import math

import pytest

from imgd.search.rank import Likeness, Signals, matching, score


def looks(similarities: dict[int, float], least: float, *, complete: bool = True) -> Likeness:
    return Likeness("space", similarities, least, 0.2, 0.1, complete)


def order(signals: Signals) -> list[int]:
    return list(score(signals))


def test_what_lies_above_the_cutoff_is_found_best_first():
    assert order(Signals(likenesses=[looks({3: 0.9, 1: 0.7, 2: 0.3}, 0.5)])) == [3, 1]


def test_nothing_that_matches_is_nothing_found():
    near = {1: 0.4}
    assert order(Signals(partial=[1], near=near, likenesses=[looks({1: 0.4}, math.inf)])) == []
    assert order(Signals()) == []


def test_what_the_query_names_comes_first_and_scores_above_a_half():
    signals = Signals({5: 1.0}, full=[1, 5], near={1: 0.5}, likenesses=[looks({1: 0.9, 5: 0.1}, 0.5)])
    scores = score(signals)
    assert list(scores) == [5, 1]
    assert scores[5] > 0.5 > scores[1] > 0


def test_words_looks_and_meaning_add_up():
    both = Signals(full=[1, 2], near={2: 0.2}, likenesses=[looks({3: 0.7, 2: 0.65}, 0.6)])
    assert order(both)[0] == 2


def test_photos_found_by_all_words_stand_before_those_found_by_some():
    assert order(Signals(full=[2], partial=[1, 2], likenesses=[looks({1: 0.5, 2: 0.5}, 0.4)])) == [2, 1]


def test_an_unsure_tag_alone_is_no_match():
    unsure = Signals({1: 0.5}, full=[1], doubtful=frozenset([1]), likenesses=[looks({1: 0.4}, math.inf)])
    assert order(unsure) == []


def test_an_unsure_tag_counts_beside_something_certain():
    signals = Signals(full=[1, 2], doubtful=frozenset([1]), likenesses=[looks({1: 0.4, 2: 0.4}, math.inf)])
    assert set(order(signals)) == {1, 2}


@pytest.mark.parametrize("likenesses", [(), (looks({9: 0.1}, math.inf),)])
def test_an_unsure_tag_counts_where_no_space_can_judge_its_photo(likenesses):
    assert order(Signals({1: 0.5}, full=[1], doubtful=frozenset([1]), likenesses=likenesses)) == [1]


def test_a_space_that_shows_only_its_best_photos_judges_the_others_too():
    cut = looks({9: 0.1}, math.inf, complete=False)
    assert order(Signals({1: 0.5}, full=[1], doubtful=frozenset([1]), likenesses=[cut])) == []


def test_a_sure_tag_of_nearly_the_same_meaning_is_a_match_by_itself():
    judged = looks({1: 0.1, 2: 0.1}, math.inf)
    assert order(Signals(near={1: 0.3, 2: 0.1}, sure=frozenset([1]), likenesses=[judged])) == [1]


def test_where_a_query_matches_the_nearest_in_meaning_are_found_too():
    signals = Signals(near={1: 0.3, 2: 0.2, 3: 0.1}, likenesses=[looks({4: 0.9, 1: 0.1}, 0.5)])
    assert matching(signals) == {1, 2, 4}


def test_scores_stay_between_0_and_1_however_large_the_sums():
    extreme = Likeness("space", {1: 9.0, 2: -9.0}, -10.0, 0.0, 0.0)
    scores = score(Signals({1: 1.0}, near={1: 1e6, 2: 1e6}, likenesses=[extreme]))
    assert all(0 <= value <= 1 for value in scores.values())


def captions(similarities: dict[int, float], least: float) -> Likeness:
    return Likeness("captions", similarities, least, 0.1, 0.1, complete=True, of_texts=True)


def test_a_photo_without_a_caption_loses_nothing_against_one_whose_caption_says_something_else():
    alike = looks({1: 0.7, 2: 0.7, 3: 0.69}, 0.6)
    alone = score(Signals(likenesses=[alike]))
    assert score(Signals(likenesses=[alike, captions({2: 0.3, 3: -0.1}, math.inf)])) == alone
    assert score(Signals(likenesses=[alike, captions({9: 0.9, 2: 0.3, 3: -0.1}, 0.6)])).items() >= alone.items()


def test_a_photo_whose_caption_says_it_clearly_comes_first_whatever_it_looks_like():
    signals = Signals(likenesses=[looks({1: 0.7, 2: 0.65, 3: 0.2}, 0.6), captions({3: 0.9, 2: 0.4}, 0.6)])
    assert order(signals) == [3, 1, 2]


def test_captions_do_not_judge_what_they_do_not_say():
    doubted = Signals({1: 0.5}, full=[1], doubtful=frozenset([1]), likenesses=[captions({1: 0.1}, math.inf)])
    assert order(doubted) == [1]
