"""Questions to the text index: who is ranked, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgd.index import words as words_module
from imgd.index.text import TextIndex
from imgd.index.words import Marked, Words


@pytest.fixture
def ask(library, tmp_path: Path) -> Iterator[Callable[[], Words]]:
    """Words of the library as it is now."""
    index = TextIndex(tmp_path / "text.db")

    def refreshed() -> Words:
        index.refresh(library.database)
        return Words(index)

    yield refreshed
    index.close()


def test_a_person_outranks_a_tag_and_so_on_down_to_the_place(library, ask):
    place = library.add("a.jpg", metadata={"city": "Sydney"})
    folder = library.add("b.jpg", folder="sydney")
    name = library.add("sydney.jpg")
    text = library.add("c.jpg", texts=[("text", "sydney")])
    caption = library.add("d.jpg", texts=[("caption", "sydney")])
    tag = library.add("e.jpg", tags={"sydney": 0.9})
    person = library.add("f.jpg", regions=[("face", "Sydney")])
    library.add_many([f"other{n}.jpg" for n in range(20)])
    assert ask().ranked('"sydney"', 10) == [person, tag, caption, text, name, folder, place]


def test_only_photos_within_a_list_are_ranked_matched_and_counted(library, ask):
    photos = library.add_many([f"{n}.jpg" for n in range(50)], tags={"dog": 0.9})
    within = np.array([*photos[10:20], 10_000], np.int64)
    words = ask()
    assert sorted(words.ranked('"dog"', 100, within)) == photos[10:20]
    assert len(words.ranked('"dog"', 3, within)) == 3
    assert words.matching('"dog"', within=within).tolist() == photos[10:20]
    assert words.matching('"dog"', limit=5).tolist() == photos[:5]
    assert words.ranked('"dog"', 5, np.empty(0, np.int64)) == []
    assert words.matching('"cat"').tolist() == []
    assert (words.count('"dog"'), words.count('"dog"', 7), words.count('"cat"')) == (50, 7, 0)


def test_of_very_many_matches_the_newest_by_tag_and_the_newest_of_all_are_ranked(library, ask, monkeypatch):
    monkeypatch.setattr(words_module, "RANKED_MOST", 10)
    tagged = library.add_many([f"{n}.jpg" for n in range(8)], tags={"dog": 0.9})
    captioned = library.add_many([f"{n}.png" for n in range(40)], texts=[("caption", "dog")])
    words = ask()
    assert words.ranked('"dog"', 100) == tagged[3:] + captioned[-5:]
    assert words.ranked('"dog"', 100).bounded
    within = np.array(captioned[:3], np.int64)
    assert words.ranked('"dog"', 100, within) == captioned[:3]
    assert not words.ranked('"dog"', 100, within).bounded
    everybody = np.array(tagged + captioned[:30], np.int64)
    assert words.ranked('"dog"', 100, everybody) == tagged[3:] + captioned[25:30]


@pytest.mark.parametrize("asked", ["Été à Paris.JPG", "ete a paris", "ETE  A PARIS.jpg", "été à paris"])
def test_a_file_is_named_with_or_without_its_ending_whatever_case_and_accents(library, ask, asked):
    wanted = library.add("Été à Paris.jpg")
    library.add_many(["Été à Paris 2.jpg", "Paris.jpg", "Un été à Paris.jpg"])
    assert ask().named(asked, 10) == [wanted]


def test_names_that_hold_anything_are_asked_for_as_they_are(library, ask):
    names = ['say "x".jpg', "_DSC0001.NEF", "no ending", ".hidden.jpg", "a*b^c:d.jpg", "名前.jpg"]
    photos = library.add_many(names)
    words = ask()
    assert [words.named(name, 10) for name in names] == [[photo] for photo in photos]
    assert words.named("***", 10) == words.named("", 10) == []


def test_the_newest_of_photos_with_one_name_comes_first(library, ask):
    photos = [library.add("IMG_1.jpg", folder=folder) for folder in ("a", "b", "c")]
    assert ask().named("img_1", 2) == photos[:0:-1]


def test_the_entries_that_met_are_marked_in_each_photo_that_matches(library, ask):
    met = library.add("dog.jpg", tags={"golden dog": 0.9, "cat": 0.9})
    other = library.add("cat.jpg")
    assert ask().marked('"dogs" OR "gol"*', [met, other, 77]) == {
        met: [Marked("tag", "\x02golden\x03 \x02dog\x03"), Marked("name", "\x02dog\x03.jpg")]
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.sets(st.integers(1, 60)), limit=st.integers(1, 70))
def test_ranking_within_a_list_is_ranking_all_and_keeping_the_list(many_words, chosen, limit):
    within = np.array(sorted(chosen), np.int64)
    every = many_words.ranked('"dog" OR "sea"', 1000)
    assert many_words.ranked('"dog" OR "sea"', limit, within) == [each for each in every if each in chosen][:limit]


@pytest.fixture
def many_words(library, ask) -> Words:
    for n in range(60):
        texts = [("caption", " ".join(["dog"] * (n % 4) + ["sea"] * (n % 3) + ["tree"] * (n % 7)))]
        library.add(f"{n}.jpg", texts=texts, tags={"dog": 0.9} if n % 5 == 0 else {})
    return ask()
