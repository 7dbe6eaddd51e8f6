"""Changes arrive in the words, whatever their order, wherever a refresh stops; nothing of the old text stays."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from text_words import find, outdate

from imgd.index.text import TextIndex

WORDS = ["dog", "cat", "sea", "snow", "tree", "house"]


def segments(index: TextIndex) -> int:
    """Segments of more than nothing that the words lie in."""
    with index.read() as connection:
        return int(connection.execute("SELECT count(DISTINCT segid) FROM words_idx").fetchone()[0])


chosen = st.integers(0, 1000)
said = st.lists(st.sampled_from(WORDS), max_size=4, unique=True)
actions = st.one_of(
    st.tuples(st.just("add"), said, st.integers(1, 40)),
    st.tuples(st.just("say"), chosen, said),
    st.tuples(st.just("rename"), chosen, st.sampled_from(WORDS)),
    st.tuples(st.just("lose"), chosen),
    st.tuples(st.just("find again"), chosen),
    st.tuples(st.just("remove"), chosen),
    st.tuples(st.just("refresh"), st.integers(0, 6)),
    st.tuples(st.just("outdate")),
    st.tuples(st.just("reopen")),
)


class Course:
    """A library and its index, and what a sequence of actions does to them."""

    def __init__(self, library, index: TextIndex) -> None:
        self.library, self.index = library, index
        self.photos: list[int] = []
        self._names = itertools.count()

    def act(self, what: str, *how: object) -> None:
        if what == "add":
            words, count = how
            names = [f"{next(self._names)}.jpg" for _ in range(count)]
            self.photos += self.library.add_many(names, tags=dict.fromkeys(words, 1.0))
        elif what == "refresh":
            looks = iter([False] * how[0])
            self.index.refresh(self.library.database, lambda: next(looks, True))
        elif what == "outdate":
            outdate(self.index.path)
        elif what == "reopen":
            self.index.close()
            self.index = TextIndex(self.index.path)
        elif self.photos:
            self._change(what, self.photos[how[0] % len(self.photos)], *how[1:])

    def _change(self, what: str, photo_id: int, *how: object) -> None:
        if what == "say":
            self.library.say(photo_id, texts=[("caption", " ".join(how[0]))])
        elif what == "rename":
            self.library.rename(photo_id, f"{how[0]} {next(self._names)}.jpg")
        elif what == "remove":
            self.library.remove(photo_id)
            self.photos.remove(photo_id)
        else:
            {"lose": self.library.lose, "find again": self.library.find_again}[what](photo_id)

    def truth(self, word: str) -> set[int]:
        rows = self.library.ask(
            "SELECT id FROM photos WHERE state = 'present' AND (display_name LIKE ?1 || ' %'"
            " OR EXISTS (SELECT 1 FROM tags JOIN labels ON labels.id = label_id"
            "            WHERE photo_id = photos.id AND label = ?1)"
            " OR EXISTS (SELECT 1 FROM texts WHERE photo_id = photos.id AND text LIKE '%' || ?1 || '%'))",
            word,
        )
        return {row[0] for row in rows}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=st.lists(actions, min_size=1, max_size=30))
def test_any_sequence_of_changes_ends_in_words_that_agree_with_the_library(make_library, sequence):
    with tempfile.TemporaryDirectory() as name:
        library = make_library(Path(name) / "library.db")
        course = Course(library, TextIndex(Path(name) / "text.db"))
        try:
            course.act("add", WORDS[:3], 5)
            course.index.refresh(library.database)
            for action in sequence:
                course.act(*action)
                if course.index.ready:
                    course.index.check()
            course.index.refresh(library.database)
            course.index.check()
            assert {word: find(course.index, word) for word in WORDS} == {
                word: course.truth(word) for word in WORDS
            }
        finally:
            course.index.close()
            library.database.close()


def test_documents_that_change_together_are_written_as_segments_of_many(library, index):
    photos = library.add_many([f"{n}.jpg" for n in range(400)], tags={"dog": 1.0})
    index.refresh(library.database)
    before = segments(index)
    for photo in photos[::2]:
        library.rename(photo, f"renamed {photo}.jpg")
    assert index.refresh(library.database) == 200
    assert segments(index) - before < 20, "a segment a document would be 200"
    index.check()


def test_many_small_refreshes_do_not_leave_a_segment_each(library, index):
    index.refresh(library.database)
    for n in range(120):
        library.add(f"{n}.jpg", tags={"dog": 1.0})
        index.refresh(library.database)
    assert segments(index) < 40
    assert len(find(index, "dog")) == 120
    index.check()


def test_a_photo_touched_without_another_word_is_not_written_again(library, index):
    photo = library.add("a.jpg", tags={"dog": 1.0})
    index.refresh(library.database)
    before = segments(index)
    library.find_again(photo)
    assert index.refresh(library.database) == 1
    assert segments(index) == before


def test_the_log_of_a_large_refresh_is_written_back_while_it_runs(library, index, monkeypatch):
    # However slow the disk is beside it: what grows beyond this is written back before the next commit.
    monkeypatch.setattr("imgd.store.database._WAL_LIMIT_BYTES", 4 << 20)
    monkeypatch.setattr("imgd.store.database._KEPT_S", 0.0)
    index.refresh(library.database)
    text = [("caption", " ".join(f"word{n}" for n in range(300)))]
    for start in range(0, 8000, 1000):
        library.add_many([f"{n}.jpg" for n in range(start, start + 1000)], texts=text)
    index.refresh(library.database)
    wal = index.path.with_name("text.db-wal").stat().st_size
    assert wal < index.path.stat().st_size
