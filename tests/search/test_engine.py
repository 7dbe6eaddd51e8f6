"""Searches over real indexes: by words, by looks, by both, and by neither."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgd.errors import IndexBuildingError, QueryError, SearchError
from imgd.search.engine import SearchAnswer


@pytest.fixture
def animals(bench):
    """Photos of a few things: by tag and looks, by looks alone, by name alone."""
    bench.photos = {
        "cat": bench.add("a.jpg", "cat", tags={"cat": 0.9}),
        "tabby": bench.add("b.jpg", "cat tabby", tags={"tabby cat": 0.8}),
        "dog": bench.add("c.jpg", "dog", tags={"dog": 0.9}, texts=[("caption", "a dog on the beach")]),
        "beach": bench.add("beach-2019.jpg", folder="2019/Lisbon"),
        "coffee": bench.add("d.jpg", "coffee"),
        "rocket": bench.add("e.jpg", "rocket moon", tags={"rocket": 0.45, "missile": 0.6}),
        **{thing: bench.add(f"{n}.jpg", thing) for n, thing in enumerate(("house", "tree", "boat", "bird"))},
    }
    bench.refresh()
    return bench


def test_words_and_looks_together_put_the_exact_tag_first(animals):
    assert animals.find("cat") == [animals.photos["cat"], animals.photos["tabby"]]
    [best, _] = animals.search("cat").hits
    assert best.path == b"/p/a.jpg"
    assert best.why[0] == "tag: cat 0.90"
    assert best.why[1].startswith("looks like: 1.00 (cut-off ")
    assert 0.5 < best.score <= 1


def test_a_hit_names_its_file_by_the_exact_bytes(bench):
    photo = bench.add("caf\\xe9.jpg", folder="2024", tags={"cat": 0.9})
    bench.library.rename_to(photo, b"caf\xe9.jpg", "caf\\xe9.jpg")
    bench.refresh()
    [hit] = bench.search("cat").hits
    assert hit.path == b"/p/2024/caf\xe9.jpg"


def test_what_no_photo_shows_finds_nothing(animals):
    answer = animals.search("submarine")
    assert (answer.hits, answer.found, answer.notes) == ((), 0, ())


def test_looks_alone_find_what_no_word_names(animals):
    [hit] = animals.search("coffee").hits
    assert hit.photo_id == animals.photos["coffee"]
    assert [line.split(":")[0] for line in hit.why] == ["looks like"]


def test_a_sentence_is_found_by_one_of_its_things(animals):
    assert animals.find("somebody drinks plenty coffee")[0] == animals.photos["coffee"]


def test_a_word_that_only_a_name_or_caption_has_is_found_without_looking_alike(animals):
    assert set(animals.find("beach")) == {animals.photos["beach"], animals.photos["dog"]}
    assert animals.find("beach 2019") == [animals.photos["beach"]]
    assert animals.find("Lisbon") == [animals.photos["beach"]]
    assert animals.search("beach-2019").hits[0].why == ("file name: beach-2019.jpg", "folder: 2019/Lisbon")


def test_quoted_words_must_stand_so(animals):
    assert animals.find('"tabby cat"') == [animals.photos["tabby"]]
    assert animals.find('"cat tabby"') == []
    assert animals.find('cat "tabby cat"') == [animals.photos["tabby"]], "looks do not excuse a missing phrase"


def test_excluded_words_take_hits_away_whatever_found_them(animals):
    assert animals.find("cat -tabby") == [animals.photos["cat"]]
    assert animals.photos["dog"] not in animals.find("-dog")
    assert len(animals.find("-dog")) == 9
    assert animals.find("-dog")[0] == animals.photos["bird"], "the newest first"


def test_a_new_photo_is_found_by_its_looks_before_its_words_are_indexed(animals):
    new = animals.add("new.jpg", "horse", texts=[("caption", "a unicorn")])
    assert animals.find("horse") == [new]
    answer = animals.search("unicorn")
    assert answer.hits == ()
    assert answer.notes == ("the words of 1 changed photo are not in the index yet",)
    animals.refresh()
    assert animals.find("unicorn") == [new]


def test_a_new_photo_is_found_by_a_whole_tag_before_its_words_are_indexed(animals):
    new = animals.add("new.jpg", tags={"unicorn": 1.0})
    [hit] = animals.search("unicorn").hits
    assert (hit.photo_id, hit.why) == (new, ("tag: unicorn 1.00",))


def test_missing_and_removed_photos_are_not_found_even_before_the_refresh(animals):
    animals.library.lose(animals.photos["cat"])
    animals.library.remove(animals.photos["tabby"])
    assert animals.find("cat") == []


def test_without_a_model_words_still_find_and_a_note_says_what_is_missing(animals):
    from imgd.errors import ModelMissingError

    animals.encoders.missing = True
    answer = animals.search("dog")
    assert [hit.photo_id for hit in answer.hits] == [animals.photos["dog"]]
    assert "minilm-l6-v2" in answer.notes[0]
    assert "imgctl models pull default" in answer.notes[0]
    assert ModelMissingError("x").message in answer.notes[0]


def test_a_reason_that_is_a_sentence_ends_with_one_full_stop(animals, monkeypatch):
    async def fail(*_arguments: object, **_more: object) -> None:
        raise SearchError("the encoder failed: it has no tokenizer. Fetch one.")

    monkeypatch.setattr(animals.encoders, "encode", fail)
    (note,) = animals.search("dog").notes
    assert "Fetch one. Try again" in note


def test_without_words_indexed_looks_still_find(bench):
    photo = bench.add("a.jpg", "cat")
    for thing in ("dog", "tree", "house", "car"):
        bench.add(f"{thing}.jpg", thing)
    answer = bench.search("cat")
    assert [hit.photo_id for hit in answer.hits] == [photo]
    assert answer.notes[0] == "words cannot be searched now: the text index is being built"


@pytest.mark.parametrize("query", ['"on the beach"', "-night", "caption:cat"])
def test_what_only_words_can_answer_is_put_off_until_they_are_indexed(bench, query):
    bench.add("a.jpg", "cat")
    with pytest.raises(IndexBuildingError, match="Words cannot be searched yet: the text index is being built"):
        bench.search(query)


@pytest.mark.parametrize("query", ["is:raw", "tag:cat", "like:#1", "path:a.jpg -iso:100"])
def test_what_asks_for_no_words_is_not_told_that_words_are_missing(bench, query):
    bench.add("a.jpg", "cat", tags={"cat": 0.9})
    assert bench.search(query).notes == ()
    bench.refresh()
    bench.add("b.jpg", "cat", tags={"cat": 0.9})
    assert bench.search(query).notes == ()
    assert bench.search("cat").notes != ()
    assert bench.search("is:raw OR caption:cat").notes != ()


def test_an_empty_library_finds_nothing(bench):
    bench.refresh()
    assert bench.search("cat") == SearchAnswer("cat", (), 0)


def test_an_encoder_without_background_is_measured_by_the_query_itself(animals):
    animals.use(type(animals.encoders)(background=()))
    assert animals.find("coffee") == [animals.photos["coffee"]]


def test_the_limit_cuts_hits_but_not_what_was_found(animals):
    answer = animals.search("cat", 1)
    assert (len(answer.hits), answer.found) == (1, 2)


def test_texts_are_encoded_once(animals):
    animals.search("cat")
    before = len(animals.encoders.texts)
    animals.search("cat")
    assert len(animals.encoders.texts) == before


def test_many_searches_run_at_once(animals):
    async def search_all() -> list[SearchAnswer]:
        return await asyncio.gather(*(animals.engine.search(word) for word in ["cat", "dog", "coffee"] * 10))

    answers = asyncio.run(search_all())
    assert {answer.hits[0].photo_id for answer in answers} == {
        animals.photos[each] for each in ("cat", "dog", "coffee")
    }


@pytest.mark.parametrize(
    "query", ["c++", "AND", "a*", "NEAR(cat dog)", "tag : cat", "cat or", "^cat", "{cat}", "cat\x00dog"]
)
def test_characters_that_mean_something_to_the_index_mean_nothing_in_a_query(animals, query):
    animals.search(query)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=st.one_of(st.text(max_size=80), st.text("cat dog\"-*():^+{}\\'AND OR NOT", max_size=40)))
def test_any_text_is_answered_or_refused_as_a_query(animals, query):
    try:
        answer = animals.search(query, 5)
    except QueryError:
        return
    assert all(0 <= hit.score <= 1 for hit in answer.hits)


def test_a_warm_engine_encodes_nothing_but_the_query(animals):
    asyncio.run(animals.engine.warm())
    before = len(animals.encoders.texts)
    animals.search("cat")
    assert animals.encoders.texts[before:] == ["cat"]


def test_warming_without_a_model_is_no_error(animals):
    animals.encoders.missing = True
    asyncio.run(animals.engine.warm())


@pytest.mark.parametrize(("query", "word"), [("a", "a"), ("猫", "猫")])
def test_the_reason_of_a_query_of_one_character_is_where_it_stands(bench, query, word):
    photo = bench.add("x.jpg", texts=[("caption", f"{word} of"), ("caption", "other")])
    bench.refresh()
    [hit] = bench.search(query).hits
    assert (hit.photo_id, hit.why[0]) == (photo, f"caption: {word} of")
