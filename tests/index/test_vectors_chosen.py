"""The spaces of chosen analyzers take the place of the others once they are complete, and while they can serve."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from imgd.config import IndexSettings
from imgd.domain import Outcome, Priority, Region, RunMode, SeenFile, StoredFinding, StoredVector
from imgd.index import vectors
from imgd.index.build import build
from imgd.index.refresh import IndexRefresher
from imgd.index.spaces import SpaceIndexes
from imgd.index.text import TextIndex
from imgd.index.vectors import IndexOptions
from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.database import Database
from imgd.store.findings import commit
from imgd.store.jobs import any_owed
from imgd.store.migrate import migrations
from imgd.store.photos import register
from imgd.store.roots import configure
from imgd.store.spaces import settle

CONCEPTS, CLIP, CLIP_2, FACES = "concepts:text", "clip:B", "clip:L", "face:4"
PHOTOS = range(1, 7)


class Chosen:
    """A real library with the analyzers `concepts` and `clip`, of which `clip` is chosen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectors = folder / "vectors"
        self.database = Database(folder / "library.db", migrations())
        self.text = TextIndex(folder / "text.db")
        self.is_sufficient = True
        self.open_indexes("clip")
        self.write(lambda c: configure(c, [b"/photos"], 0.0))
        self.declare()
        self.register(PHOTOS)

    def open_indexes(self, *meaning: str) -> None:
        """As after a restart."""
        self.spaces = SpaceIndexes(
            self.database, self.vectors, IndexOptions(build=build), meaning=meaning, suffice=self.suffice
        )
        settings = IndexSettings(idle_s=0.0, max_staleness_s=3600.0)
        self.refresher = IndexRefresher(self.database, self.text, self.spaces, settings, lambda: True)

    def suffice(self, spaces: Collection[str]) -> bool:
        assert set(spaces) <= {CLIP, CLIP_2}
        return self.is_sufficient

    def write(self, work):
        return self.database.write(work).result()

    def declare(self, version: str = "1", run: RunMode = RunMode.ALWAYS) -> None:
        declared = [AnalyzerDeclaration("concepts", "1", ""), AnalyzerDeclaration("clip", version, "", run)]
        rows = self.write(lambda c: synchronise(c, declared))
        self.ids = {name: row.id for name, row in rows.items()}

    def register(self, photos: Sequence[int]) -> None:
        files = [SeenFile(b"", f"{n}.jpg".encode(), 10, 5, 1, 1000 + n) for n in photos]
        self.write(lambda c: register(c, 1, files, now=1.0, priority=Priority.SCAN, moved=None))

    def analyze(self, analyzer: str, space: str, photos: Sequence[int] = PHOTOS) -> None:
        self._commit([Outcome(photo, self.ids[analyzer], 1, seen(space, photo)) for photo in photos])

    def fail(self, analyzer: str, photo: int) -> None:
        self._commit([Outcome(photo, self.ids[analyzer], 1, None, "it cannot")])

    def _commit(self, outcomes: Sequence[Outcome]) -> None:
        self.write(lambda c: commit(c, [], outcomes, 1.0))

    def refresh(self) -> None:
        self.refresher._refresh(idle=True)

    def serving(self, *unable: str) -> list[str]:
        return self.spaces.serving([CONCEPTS, CLIP, CLIP_2], unable)

    def indexed(self) -> list[str]:
        return [each.name for each in self.refresher.freshness().spaces]

    def files(self, space: str) -> list[str]:
        begins = space.replace(":", "_")
        return sorted(path.name for path in self.vectors.glob(f"{begins}*"))

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with self.database.read() as library:
            return library.execute(statement).fetchall()

    def stored(self, space: str) -> int:
        counted = f"SELECT count(*) FROM vectors JOIN spaces ON spaces.id = space_id WHERE name = '{space}'"
        return int(self.rows(counted)[0][0])


def values(seed: int) -> bytes:
    row = np.random.default_rng(seed).random(4)
    return (row / np.linalg.norm(row)).astype(np.float16).tobytes()


def seen(space: str, photo: int) -> StoredFinding:
    return StoredFinding(vectors=[StoredVector(space, values(photo), None)])


@pytest.fixture
def chosen(tmp_path: Path) -> Iterator[Chosen]:
    made = Chosen(tmp_path)
    made.analyze("concepts", CONCEPTS)
    made.spaces.all()[0].rebuild()
    yield made
    made.text.close()
    made.database.close()


def test_the_others_answer_until_the_chosen_analyzer_has_looked_at_every_photo(chosen):
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2]
    chosen.analyze("clip", CLIP, [1, 2, 3])
    chosen.refresh()
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2]
    assert chosen.indexed() == [CONCEPTS, CLIP]
    chosen.analyze("clip", CLIP, [4, 5, 6])
    assert chosen.refresher._spaces.is_unsettled()
    chosen.refresh()
    assert chosen.serving() == [CLIP]


def test_photos_that_the_chosen_analyzer_failed_with_hold_nothing_up(chosen):
    chosen.analyze("clip", CLIP, [1, 2, 3, 4, 5])
    chosen.refresh()
    assert not chosen.spaces.is_unsettled(), "nothing has changed since"
    chosen.fail("clip", 6)
    assert chosen.spaces.is_unsettled()
    chosen.refresh()
    assert chosen.serving() == [CLIP]


def test_one_that_saw_nothing_anywhere_takes_no_place(chosen):
    for photo in PHOTOS:
        chosen.fail("clip", photo)
    chosen.refresh()
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2]
    assert chosen.indexed() == [CONCEPTS]


def test_one_that_runs_on_request_has_not_looked_at_what_nobody_asked_for(chosen):
    chosen.declare(run=RunMode.REQUEST)
    chosen.analyze("clip", CLIP, [1, 2, 3])
    with chosen.database.read() as library:
        assert not any_owed(library, [chosen.ids["clip"]])
    chosen.refresh()
    assert CONCEPTS in chosen.serving()
    assert not chosen.spaces.is_unsettled(), "there is nothing to do until something changes"


def test_vectors_that_no_search_finds_yet_hold_the_change_up(chosen, monkeypatch):
    monkeypatch.setattr(vectors, "TAIL_LIMIT", 4)
    monkeypatch.setattr(vectors, "_CHUNK", 2)
    chosen.analyze("clip", CLIP)
    assert chosen.spaces.get(CLIP).status().waiting == 0
    chosen.spaces.get(CLIP).catch_up()
    assert chosen.spaces.get(CLIP).status().waiting == 2
    chosen.spaces.settle()
    assert CONCEPTS in chosen.serving()
    chosen.refresh()
    assert chosen.serving() == [CLIP]


def test_the_indexes_of_the_others_go_from_memory_and_disk_and_their_vectors_stay(chosen):
    assert chosen.files(CONCEPTS)
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    assert chosen.indexed() == [CLIP]
    assert chosen.files(CONCEPTS) == []
    assert chosen.spaces.get(CONCEPTS) is None
    assert chosen.stored(CONCEPTS) == len(PHOTOS)


def test_what_the_others_lose_meanwhile_is_not_remembered_for_an_index_that_is_not_there(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.write(lambda c: c.execute("DELETE FROM photos WHERE id = 1"))
    assert chosen.rows("SELECT count(*) FROM removed_vectors") == [(2,)]
    chosen.spaces.get(CLIP).rebuild()
    chosen.refresh()
    assert chosen.rows("SELECT count(*) FROM removed_vectors") == [(0,)]


def test_later_photos_change_nothing_whatever_they_owe_nor_does_a_restart(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.register(range(7, 10))
    chosen.analyze("concepts", CONCEPTS, range(7, 10))
    chosen.refresh()
    assert chosen.serving() == [CLIP]
    chosen.open_indexes("clip")
    chosen.refresh()
    assert chosen.serving() == [CLIP]
    assert chosen.indexed() == [CLIP]
    assert chosen.files(CONCEPTS) == []


def test_files_that_a_crash_left_behind_go_with_the_next_refresh(chosen):
    chosen.analyze("clip", CLIP)
    chosen.write(lambda c: settle(c, ["clip"]))
    assert chosen.files(CONCEPTS)
    chosen.open_indexes("clip")
    chosen.refresh()
    assert chosen.files(CONCEPTS) == []


def test_without_a_choice_all_answer_again_and_the_index_is_made_anew(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.open_indexes()
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2]
    query = np.ones((1, 4), np.float32)
    assert sorted(chosen.spaces.get(CONCEPTS).find(query, 50)[0].photo_ids.tolist()) == [*PHOTOS]
    chosen.spaces.get(CONCEPTS).rebuild()
    assert chosen.files(CONCEPTS)


def test_another_choice_is_settled_by_itself(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.open_indexes("clip", "faces")
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2], "`faces` has not looked at anything"
    chosen.open_indexes("clip")
    assert chosen.serving() == [CLIP], "what was settled stays so until something else is"


def test_one_that_was_switched_off_answers_alone_again_once_it_has_looked_at_what_came_meanwhile(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.write(lambda c: synchronise(c, [AnalyzerDeclaration("concepts", "1", "")]))
    chosen.register([7])
    chosen.analyze("concepts", CONCEPTS, [7])
    chosen.refresh()
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2], "nobody else finds the new photo"
    chosen.declare()
    chosen.refresh()
    assert chosen.serving() == [CONCEPTS, CLIP, CLIP_2], "it has not looked at the new photo yet"
    chosen.analyze("clip", CLIP, [7])
    chosen.refresh()
    assert chosen.serving() == [CLIP]


def test_a_choice_of_others_stays_when_an_analyzer_is_switched_off(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.write(lambda c: synchronise(c, [AnalyzerDeclaration("clip", "1", "")]))
    assert chosen.serving() == [CLIP]


def test_while_the_chosen_ones_cannot_serve_the_others_do(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    assert chosen.serving(CLIP) == [CONCEPTS, CLIP, CLIP_2]
    assert chosen.serving(CONCEPTS) == [CLIP], "what keeps the others from serving is not asked"
    chosen.is_sufficient = False
    assert chosen.indexed() == [CONCEPTS, CLIP]
    chosen.refresh()
    assert [len(each.find(np.ones((1, 4), np.float32), 50)[0]) for each in chosen.spaces.all()] == [6, 6]
    chosen.is_sufficient = True
    assert chosen.spaces.is_unsettled(), "an index is held that no search asks"
    chosen.refresh()
    assert chosen.indexed() == [CLIP]


def test_within_the_chosen_analyzer_the_old_generation_serves_until_the_new_one_is_complete(chosen):
    chosen.analyze("clip", CLIP)
    chosen.refresh()
    chosen.declare("2")
    chosen.analyze("clip", CLIP_2, [1, 2])
    chosen.refresh()
    assert chosen.serving() == [CLIP]
    assert chosen.indexed() == [CLIP, CLIP_2]
    chosen.analyze("clip", CLIP_2, [3, 4, 5, 6])
    assert chosen.serving() == [CLIP_2]
    assert chosen.serving(CLIP) == [CLIP_2], "the old one is not needed any more"


def test_a_space_of_regions_has_no_index_and_leaves_no_records(chosen):
    face = Region("face", (0.0, 0.0, 1.0, 1.0))
    finding = StoredFinding(regions=[face], vectors=[StoredVector(FACES, values(1), 0)])
    chosen._commit([Outcome(photo, chosen.ids["clip"], 1, finding) for photo in PHOTOS])
    chosen.open_indexes()
    chosen.refresh()
    assert chosen.indexed() == [CONCEPTS]
    assert chosen.spaces.get(FACES) is None
    assert chosen.files(FACES) == []
    chosen.write(lambda c: c.execute("DELETE FROM vectors WHERE region IS NOT NULL"))
    assert chosen.rows("SELECT count(*) FROM removed_vectors")[0][0] == len(PHOTOS)
    chosen.refresh()
    assert chosen.rows("SELECT count(*) FROM removed_vectors") == [(0,)]


def test_among_vectors_of_photos_those_of_regions_are_not_found(chosen):
    face = Region("face", (0.0, 0.0, 1.0, 1.0))
    mixed = [StoredVector(CLIP, values(1), None), StoredVector(CLIP, values(99), 0)]
    chosen._commit([Outcome(1, chosen.ids["clip"], 1, StoredFinding(regions=[face], vectors=mixed))])
    chosen.analyze("clip", CLIP, [2, 3, 4, 5, 6])
    index = chosen.spaces.get(CLIP)
    query = np.frombuffer(values(99), np.float16).astype(np.float32)[np.newaxis]
    for _ in range(2):
        assert sorted(index.find(query, 50)[0].photo_ids.tolist()) == [*PHOTOS]
        assert len(index.sample(100)) == len(PHOTOS)
        index.rebuild()
