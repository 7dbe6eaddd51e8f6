"""Answers page by page, in every order."""

from __future__ import annotations

import asyncio

import pytest

from imgd.errors import RequestError
from imgd.index import words
from imgd.search.engine import SearchAnswer
from imgd.search.options import SearchOptions
from imgd.search.ranked import RankedSearch

QUERIES = ["beach", "iso:>=400", "-night", "beach OR iso:>=400", '"by night"', "beach -night"]
SORTS = ["score", "date", "path"]


@pytest.fixture
def trips(bench):
    """60 photos of three folders; two of three have a date, half are of the beach."""
    bench.photos = [
        bench.add(
            f"IMG_{n % 20:04}.jpg",
            folder=f"trip {n // 20}",
            texts=[("caption", ("beach " if n % 2 else "town ") + ("by night" if n % 5 == 0 else "by day"))],
            metadata={
                "iso": 100 * (n % 8),
                **({"taken_at": f"2023-05-{n % 28 + 1:02}T10:00:00"} if n % 3 else {}),
            },
        )
        for n in range(60)
    ]
    bench.refresh()
    return bench


def ask(bench, query: str, **options: object) -> SearchAnswer:
    return asyncio.run(bench.engine.search(query, SearchOptions(**options)))


def pages(bench, query: str, sort: str, limit: int, between=lambda: None) -> list[SearchAnswer]:
    answers = [ask(bench, query, sort=sort, limit=limit)]
    while answers[-1].after:
        between()
        answers.append(ask(bench, query, sort=sort, limit=limit, after=answers[-1].after))
    return answers


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", QUERIES)
def test_the_pages_of_an_answer_are_the_whole_answer(trips, query, sort):
    whole = ask(trips, query, sort=sort, limit=1000)
    assert whole.after == ""
    assert whole.found == len(whole.hits) > 10
    found = [hit.photo_id for answer in pages(trips, query, sort, 7) for hit in answer.hits]
    assert found == [hit.photo_id for hit in whole.hits]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("query", QUERIES)
def test_a_photo_that_is_added_or_removed_between_pages_shifts_none_of_the_others(trips, query, sort):
    before = [hit.photo_id for hit in ask(trips, query, sort=sort, limit=1000).hits]
    first = ask(trips, query, sort=sort, limit=10)
    trips.library.remove(before[3])
    newer = trips.add(
        "AAA.jpg",
        folder="trip 0",
        texts=[("caption", "beach by night")],
        metadata={"taken_at": "2024-01-01T00:00:00"},
    )
    trips.refresh()
    rest = ask(trips, query, sort=sort, limit=1000, after=first.after)
    shown = [hit.photo_id for hit in (*first.hits, *rest.hits) if hit.photo_id != newer]
    assert len(shown) == len(set(shown))
    assert set(shown) == set(before)


def test_by_date_the_newest_are_first_and_those_without_a_date_last(trips):
    hits = ask(trips, "beach", sort="date", limit=1000).hits
    dates = dict(trips.library.ask("SELECT photo_id, coalesce(taken_at, '') FROM metadata"))
    assert [dates[hit.photo_id] for hit in hits] == sorted((dates[hit.photo_id] for hit in hits), reverse=True)
    assert dates[hits[-1].photo_id] == ""


def test_by_path_folders_follow_one_another(trips):
    paths = [hit.path for hit in ask(trips, "iso:>=400", sort="path", limit=1000).hits]
    assert paths == sorted(paths)


def test_filters_alone_list_the_newest_first(trips):
    by_score = ask(trips, "iso:>=400", limit=1000)
    by_date = ask(trips, "iso:>=400", sort="date", limit=1000)
    assert by_score.hits == by_date.hits


@pytest.mark.parametrize("query", ["beach", "beach -evening", "beach iso:>=0"])
def test_of_more_matches_than_can_be_ranked_all_are_counted_and_those_that_pass_are_found(
    trips, monkeypatch, query
):
    monkeypatch.setattr(words, "RANKED_MOST", 10)
    answer = ask(trips, query, limit=1000)
    assert (answer.found, answer.found_exact) == (30, True)
    assert len(answer.hits) == 10


def test_what_a_filter_lets_pass_is_found_behind_any_number_that_it_does_not(trips, monkeypatch):
    monkeypatch.setattr(words, "RANKED_MOST", 10)
    answer = ask(trips, 'beach -path:"trip 2/"', limit=1000)
    assert len(answer.hits) == 10
    assert not any(b"trip 2" in hit.path for hit in answer.hits)


def test_hits_below_the_least_score_are_left_out(trips):
    everything = ask(trips, "beach OR night", limit=1000)
    least = everything.hits[5].score
    answer = ask(trips, "beach OR night", limit=1000, min_score=least)
    assert all(hit.score >= least - 1e-4 for hit in answer.hits)
    assert 0 < answer.found < everything.found


def test_a_cursor_of_another_query_is_refused(trips):
    after = ask(trips, "beach", limit=5).after
    with pytest.raises(RequestError, match="another query"):
        ask(trips, "town", limit=5, after=after)


@pytest.mark.parametrize("query", ["cat", "cat -night", "cat OR kitten", "cat OR a OR photo"])
def test_no_more_are_said_to_be_found_than_there_are(bench, query):
    for n in range(1600):
        bench.add(f"a photo {n}.jpg", "cat" if n % 2 else "dog", tags={"cat": 0.5 + n % 50 / 100, "kitten": 0.8})
    bench.refresh()
    assert 500 <= bench.search(query, 10).found <= 1600


@pytest.fixture
def many(bench):
    """1,500 photos of the beach, more than a ranking has candidates at first; every third also looks like it."""
    names = [f"{n:04}.jpg" for n in range(1500)]
    [vector] = asyncio.run(bench.encoders.encode("meaning", ["beach"]))
    for start in range(3):
        looks = {"vectors": {"meaning": vector}} if start == 0 else {}
        bench.library.add_many(names[start::3], texts=[("caption", "a beach")], tags={"sand": 0.9}, **looks)
    bench.refresh()
    return bench


@pytest.mark.parametrize("query", ["beach", "beach sand", "beach -night", "beach OR sand"])
def test_pages_of_more_than_there_are_candidates_repeat_nothing_and_lose_nothing(many, query):
    found = [hit.photo_id for answer in pages(many, query, "score", 190) for hit in answer.hits]
    assert len(found) == len(set(found)) == 1500


def test_scores_fall_within_each_list(many):
    answers = pages(many, "beach", "score", 100)
    first = [hit.score for answer in answers[:5] for hit in answer.hits]
    assert first == sorted(first, reverse=True)


def test_no_page_ranks_the_same_candidates_twice(many, monkeypatch):
    asked: list[int] = []
    find = RankedSearch.find

    async def counted(search, prepared, candidates, *others):
        asked.append(candidates)
        return await find(search, prepared, candidates, *others)

    monkeypatch.setattr(RankedSearch, "find", counted)
    ranked: list[list[int]] = []

    def note() -> None:
        ranked.append(asked.copy())
        asked.clear()

    pages(many, "beach", "score", 190, note)
    assert max(map(len, ranked)) > 1  # there is a page of two lists
    assert all(len(each) == len(set(each)) for each in ranked)
