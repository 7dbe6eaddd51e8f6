"""Queries of the whole language over real indexes."""

from __future__ import annotations

import asyncio
import contextlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgd.errors import QueryError, RequestError
from imgd.search.options import SORTS, SearchOptions

EXAMPLES = int(os.environ.get("IMGD_FUZZED_QUERIES", "300"))
_TYPED = r"""
dog cat* "on the " ( ) - NOT OR : .. * iso: iso:>= 100 date: 2023-06 2023-13 like: #1 /etc/passwd has: is:raw tag:
camera: size:>1MB shutter:<1/0 1e999 nan rating: focal:35mm path: ../ root: type:raw near:38.7,-9.1,20km text:
a.b:1 caption:x person: ^ {tag} + AND % _ ' \ é 类 𝔘
"""
PIECES = [*_TYPED.split(), " ", "\x00", "\ud800"]


@pytest.fixture
def album(bench):
    """A few photos that differ in what filters ask for."""
    bench.photos = {
        "dog": bench.add(
            "dog.jpg",
            "dog",
            tags={"dog": 0.9},
            texts=[("caption", "a dog on the beach")],
            metadata={
                "iso": 100,
                "camera_make": "SONY",
                "camera_model": "ILCE-7M3",
                "taken_at": "2023-07-01T12:00:00",
            },
        ),
        "wolf": bench.add(
            "wolf.jpg",
            "wolf",
            tags={"timber wolf": 0.8},
            metadata={"iso": 1600, "camera_make": "Canon", "taken_at": "2022-01-01T12:00:00"},
        ),
        "cat": bench.add("cat.jpg", "cat", tags={"cat": 0.9}, metadata={"iso": 3200, "camera_make": "SONY"}),
        **{
            thing: bench.add(f"{n}.jpg", thing) for n, thing in enumerate(("house", "tree", "boat", "bird", "car"))
        },
    }
    bench.refresh()
    return bench


def names(album, query: str) -> set[str]:
    found = album.find(query)
    return {name for name, photo_id in album.photos.items() if photo_id in found}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dog OR cat", {"dog", "cat"}),
        ("(dog OR cat) iso:>=1600", {"cat"}),
        ("dog OR iso:1600", {"dog", "wolf"}),
        ("camera:sony", {"dog", "cat"}),
        ("camera:sony -cat", {"dog"}),
        ("camera:sony -iso:100", {"cat"}),
        ("-(camera:sony OR iso:1600) boat", {"boat"}),
        ("camera:sony dog", {"dog"}),
        ("date:2023", {"dog"}),
        ("date:2022..2023", {"dog", "wolf"}),
        ('"on the beach" OR wolf', {"dog", "wolf"}),
        ('"on the beach" iso:>100', set()),
        ("tag:dog", {"dog"}),
        ("caption:beach", {"dog"}),
        ("wol*", {"wolf"}),
        ("tag:cat OR tag:dog", {"dog", "cat"}),
    ],
)
def test_words_filters_and_alternatives_combine(album, query, expected):
    assert names(album, query) == expected


def test_a_filter_keeps_what_looks_alike_within_it(album):
    assert names(album, "coffee OR cat iso:100") == set()
    assert names(album, "cat iso:3200") == {"cat"}


def test_a_photo_of_the_library_finds_those_that_look_like_it(album):
    twin = album.add("twin.jpg", "boat")
    first, second, *_ = album.search(f"like:#{album.photos['boat']}").hits
    assert (first.photo_id, second.photo_id) == (album.photos["boat"], twin)
    assert first.score > 0.5 > second.score


def test_likenesses_and_filters_combine(album):
    album.add("twin.jpg", "dog", metadata={"iso": 800})
    assert names(album, f"like:#{album.photos['dog']} iso:100") == {"dog"}


def test_an_unknown_target_of_like_is_told_with_its_column(album):
    with pytest.raises(QueryError) as raised:
        album.search("dog like:nowhere.jpg")
    assert raised.value.column == 5


def test_every_reason_is_given_where_it_is_asked_for(album):
    answer = asyncio.run(album.engine.search("dog beach", SearchOptions(explain=True)))
    [hit, *_] = answer.hits
    assert hit.photo_id == album.photos["dog"]
    assert "rank 1 by all words" in hit.reasons
    assert any(line.startswith("looks like: ") for line in hit.reasons)
    assert any(line.startswith("caption: ") for line in hit.reasons)


def test_without_asking_reasons_are_short(album):
    assert album.search("dog").hits[0].reasons == ()


def test_the_reason_of_what_filters_alone_find_is_the_filters(album):
    [hit] = album.search("iso:>=1600 camera:sony").hits
    assert hit.why == ("iso:>=1600", "camera:sony")


def test_a_filter_that_excludes_is_told_with_its_minus_sign(album):
    [hit] = album.search("iso:>=1600 -(camera:canon OR is:raw) -(-camera:sony)").hits
    assert hit.why == ("iso:>=1600", "-camera:canon", "-is:raw", "camera:sony")


@pytest.mark.parametrize(
    ("query", "of_dog", "of_cat"),
    [
        ("iso:100 OR camera:sony", "iso:100 camera:sony", "camera:sony"),
        ("iso:100 OR cat", "iso:100", None),
        ("dog iso:100 OR cat iso:3200", "iso:100", "iso:3200"),
        ("(dog OR cat) camera:sony -iso:1600", "camera:sony -iso:1600", "camera:sony -iso:1600"),
        ("(dog OR cat) -(iso:100 camera:sony) OR has:caption", "has:caption", "-iso:100"),
    ],
)
def test_of_alternatives_those_filters_are_told_that_the_photo_meets(album, query, of_dog, of_cat):
    answer = asyncio.run(album.engine.search(query, SearchOptions(explain=True)))
    told = {hit.photo_id: [line for line in hit.reasons if line.startswith("filters: ")] for hit in answer.hits}
    assert told[album.photos["dog"]] == [f"filters: {of_dog}"]
    assert told[album.photos["cat"]] == ([f"filters: {of_cat}"] if of_cat else [])


def test_reasons_of_alternatives_say_which_they_belong_to(album):
    [hit] = [hit for hit in album.search("house OR tree").hits if hit.photo_id == album.photos["tree"]]
    assert any(line.startswith("tree: looks like: ") for line in hit.why)


def test_alternatives_repeat_no_reason_and_say_whose_ranks_are_meant(album):
    answer = asyncio.run(album.engine.search("dog OR cat", SearchOptions(explain=True)))
    [hit] = [hit for hit in answer.hits if hit.photo_id == album.photos["dog"]]
    tags = [line for line in hit.why if "tag: " in line]
    assert len(tags) == 1
    assert tags[0].startswith("tag: dog ")
    assert "dog: rank 1 by all words" in hit.reasons
    assert "named exactly: dog" in hit.reasons


@pytest.mark.parametrize("between", [" OR ", " "])
def test_reasons_of_several_likenesses_say_which_photo_is_meant(album, between):
    dog, cat = (f"#{album.photos[name]}" for name in ("dog", "cat"))
    album.add("both.jpg", "dog cat")
    answer = asyncio.run(album.engine.search(f"like:{dog}{between}like:{cat}", SearchOptions(explain=True)))
    [hit] = [hit for hit in answer.hits if hit.photo_id == album.photos["dog"]]
    assert any(line.startswith(f"looks like {dog}: 1.00 (cut-off ") for line in hit.why)
    assert f"the photo itself: {dog}" in hit.reasons
    assert f"rank 1 by likeness to {dog} in meaning" in hit.reasons
    assert not any(line.startswith(f"looks like {cat}: 1.00") for line in hit.reasons)


def test_a_photo_that_looks_like_itself_is_not_said_to_be_named_by_the_words_beside_it(album):
    cat = f"#{album.photos['cat']}"
    answer = asyncio.run(album.engine.search(f"dog like:{cat}", SearchOptions(explain=True)))
    [hit] = [hit for hit in answer.hits if hit.photo_id == album.photos["cat"]]
    assert "named exactly: dog" not in hit.reasons
    assert f"the photo itself: {cat}" in hit.reasons


def test_a_copy_scores_just_below_the_photo_itself_and_what_is_less_alike_scores_less(album):
    copy, near = album.add("copy.jpg", "boat"), album.add("near.jpg", "boat sea")
    scores = {hit.photo_id: hit.score for hit in album.search(f"like:#{album.photos['boat']}").hits}
    assert scores[copy] == 0.476
    assert 0.1 < scores[near] < 0.45


QUERIES = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(QUERIES, st.sampled_from(SORTS), st.text(max_size=10) | st.just(""))
def test_any_text_is_answered_or_refused_in_plain_words(album, query, sort, after):
    options = SearchOptions(limit=5, sort=sort, after=after, cwd=b"/")
    with contextlib.suppress(QueryError, RequestError):
        assert len(asyncio.run(album.engine.search(query, options)).hits) <= 5


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(QUERIES)
def test_any_text_can_be_completed(album, query):
    assert len(asyncio.run(album.engine.complete(query, 10))) <= 10
