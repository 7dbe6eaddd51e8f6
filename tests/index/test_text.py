"""The text index: every committed change arrives, nothing else stays, whatever happens in between."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
from text_words import find

from imgd.errors import IndexDamagedError
from imgd.index.documents import name_words
from imgd.index.text import TextIndex
from imgd.index.words import Words


def test_a_document_holds_what_all_findings_say(library, index):
    photo = library.add(
        "IMG_1234.jpg",
        folder="2019/Lisbon trip",
        tags={"golden retriever": 0.9, "submarine": 0.05},
        texts=[("caption", "a dog runs"), ("text", "NO ENTRY"), ("keyword", "holiday"), ("weather", "windy")],
        regions=[("face", "Anna K"), ("object", "frisbee")],
        metadata={
            "city": "Lisbon",
            "country": "Portugal",
            "camera_model": "ILCE-7M3",
            "taken_at": "2019-05-01T10:00:00",
        },
    )
    index.refresh(library.database)
    met = [
        "person : anna", "tag : retriever", "tag : holiday", "tag : frisbee", "caption : dog", "text : entry",
        "name : 1234", "folder : lisbon", "place : portugal", "camera : ilce", "other : windy", "other : 2019",
    ]  # fmt: skip
    assert [match for match in met if find(index, match) != {photo}] == []
    assert find(index, "submarine") == set(), "a weak guess is no word"


def test_words_are_found_in_every_form_that_people_type(library, index):
    photo = library.add("beach-2019_DSC01234.NEF", tags={"dog": 1.0, "café": 1.0})
    index.refresh(library.database)
    for word in ("dogs", "DOG", "cafe", "CAFÉ", "beach", "2019", "DSC01234", "01234", "dsc", "nef", "beach-2019"):
        assert find(index, f'"{word}"') == {photo}, word


def test_a_name_is_parted_only_where_the_tokenizer_would_not():
    assert name_words("IMG_1234.jpg") == "IMG_1234.jpg"
    assert name_words("BeachDay01.jpg") == "BeachDay01.jpg\nBeach Day 01.jpg"


def test_changed_renamed_missing_and_removed_photos_leave_no_ghosts(library, index):
    changed, renamed, lost, removed = (
        library.add(f"{n}.jpg", tags={n: 1.0}) for n in ("one", "two", "three", "four")
    )
    index.refresh(library.database)
    library.say(changed, tags={"five": 1.0})
    library.rename(renamed, "six.jpg")
    library.lose(lost)
    library.remove(removed)
    index.refresh(library.database)
    assert find(index, "five") == {changed}
    assert find(index, "six") == {renamed}
    assert find(index, "name : two") | find(index, "three") | find(index, "four") == set()
    index.check()
    library.find_again(lost)
    index.refresh(library.database)
    assert find(index, "three") == {lost}
    index.check()


def test_one_commit_of_many_photos_is_taken_in_over_many_chunks(library, index):
    index.refresh(library.database)
    photos = library.add_many([f"{n}.jpg" for n in range(3000)], tags={"bulk": 1.0})
    assert index.refresh(library.database) == 3000
    assert find(index, "bulk") == set(photos)
    assert index.refresh(library.database) == 0
    index.check()


def test_a_refresh_stopped_between_chunks_goes_on_where_it_was(library, tmp_path):
    index = TextIndex(tmp_path / "text.db")
    index.refresh(library.database)
    photos = library.add_many([f"{n}.jpg" for n in range(1000)], tags={"bulk": 1.0})
    looks = iter([False, False])
    first = index.refresh(library.database, lambda: next(looks, True))
    assert 0 < first < 1000
    assert index.covered_seq(library.database) < library.ask("SELECT value FROM counters")[0][0]
    index.close()
    again = TextIndex(tmp_path / "text.db")
    assert again.refresh(library.database) == 1000 - first
    assert find(again, "bulk") == set(photos)
    again.check()
    again.close()


def test_a_chunk_that_was_not_committed_is_done_again(library, tmp_path, monkeypatch):
    index = TextIndex(tmp_path / "text.db")
    index.refresh(library.database)
    photos = library.add_many([f"{n}.jpg" for n in range(500)], tags={"bulk": 1.0})
    # A trigger that fails on one document: the transaction of its chunk is lost as a whole.
    raw = sqlite3.connect(tmp_path / "text.db")
    raw.execute(
        f"CREATE TRIGGER fail BEFORE INSERT ON documents WHEN new.photo_id = {photos[300]}"
        " BEGIN SELECT raise(ABORT, 'no'); END"
    )
    raw.commit()
    with pytest.raises(sqlite3.IntegrityError):
        index.refresh(library.database)
    index.close()
    raw.execute("DROP TRIGGER fail")
    raw.commit()
    raw.close()
    again = TextIndex(tmp_path / "text.db")
    again.check()
    again.refresh(library.database)
    assert find(again, "bulk") == set(photos)
    again.check()
    again.close()


@pytest.mark.parametrize("harm", ["cut", "garbage", "header", "gone", "other schema"])
def test_a_damaged_or_missing_file_is_rebuilt_beside_and_moved_into_place(library, tmp_path, harm):
    path = tmp_path / "text.db"
    index = TextIndex(path)
    photos = library.add_many([f"{n}.jpg" for n in range(2000)], tags={"bulk": 1.0})
    index.refresh(library.database)
    index.close()
    data = path.read_bytes()
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "garbage":
        path.write_bytes(data[:4096] + bytes(len(data) - 4096))
    elif harm == "header":
        path.write_bytes(b"not a database at all" * 1000)
    elif harm == "gone":
        path.unlink()
    else:
        with sqlite3.connect(path) as raw:
            raw.execute("PRAGMA user_version = 99")
        raw.close()
    library.add("new.jpg", tags={"fresh": 1.0})
    again = TextIndex(path)
    again.refresh(library.database)
    assert find(again, "bulk") == set(photos)
    assert len(find(again, "fresh")) == 1
    again.check()
    assert not path.with_name("text.db.new").exists()
    again.close()


def test_damage_that_a_search_meets_is_repaired_by_the_next_refresh(library, tmp_path):
    path = tmp_path / "text.db"
    index = TextIndex(path)
    photos = library.add_many([f"{n}.jpg" for n in range(500)], tags={"bulk": 1.0})
    index.refresh(library.database)
    raw = sqlite3.connect(path)
    raw.execute("DELETE FROM words_data WHERE id > 10")
    raw.commit()
    raw.close()
    with pytest.raises(IndexDamagedError):
        find(index, "bulk")
    index.refresh(library.database)
    assert find(index, "bulk") == set(photos)
    index.close()


def test_an_index_of_another_library_is_built_anew(library, tmp_path):
    index = TextIndex(tmp_path / "text.db")
    library.add("old.jpg", tags={"old": 1.0})
    library.add("old2.jpg", tags={"old": 1.0})
    index.refresh(library.database)
    other = type(library)(tmp_path / "other.db")
    index.refresh(other.database)
    assert find(index, "old") == set()
    other.database.close()
    index.close()


@pytest.mark.parametrize("other_has", ["fewer changes", "more changes"])
def test_a_library_that_takes_the_place_of_another_is_never_told_of_as_covered(library, tmp_path, other_has):
    index = TextIndex(tmp_path / "text.db")
    library.add("old.jpg", tags={"old": 1.0})
    library.add("old2.jpg", tags={"old": 1.0})
    index.refresh(library.database)
    assert index.covered_seq(library.database) > 0
    other = type(library)(tmp_path / "other.db")
    if other_has == "fewer changes":  # a copy from a backup, say, which then goes on beyond what the index covers
        assert index.covered_seq(other.database) == 0
    photos = [other.add(f"{n}.jpg", tags={"new": 1.0}) for n in range(4)]
    assert index.covered_seq(other.database) == 0
    index.refresh(other.database)
    assert (find(index, "old"), find(index, "new")) == (set(), set(photos))
    assert index.covered_seq(other.database) == other.ask("SELECT value FROM counters")[0][0]
    other.database.close()
    index.close()


def test_twenty_thousand_photos_are_taken_in_by_chunks(library, index, capsys):
    library.add("first.jpg")
    index.refresh(library.database)
    texts = [("caption", " ".join(f"word{n % 977}" for n in range(40)))]
    library.add_many([f"IMG_{n}.jpg" for n in range(20_000)], tags={"bulk": 1.0, "dog": 0.7}, texts=texts)
    assert index.refresh(library.database) == 20_000
    with capsys.disabled():
        print(f"\n20,000 documents; longest write transaction {index.longest_write_s * 1000:.1f} ms")
    assert Words(index).count("bulk") == 20_000
    index.check()


_REFRESH = """
import sys
from pathlib import Path
from imgd.index.text import TextIndex
from imgd.store.database import Database
from imgd.store.migrate import migrations

def tell():
    print("chunk", flush=True)
    return False

TextIndex(Path(sys.argv[2])).refresh(Database(Path(sys.argv[1]), migrations()), tell)
"""


@pytest.mark.parametrize("exists", [True, False])
def test_a_process_killed_in_the_middle_of_a_refresh_loses_nothing(library, tmp_path, exists):
    path = tmp_path / "text.db"
    if exists:
        index = TextIndex(path)
        index.refresh(library.database)
        index.close()
    photos = library.add_many([f"{n}.jpg" for n in range(20_000)], tags={"bulk": 1.0})
    command = [sys.executable, "-c", _REFRESH, str(library.database.path), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4 if exists else 2):  # of a build a look every tenth of a second, and it is soon done
            assert process.stdout.readline() == "chunk\n"
        process.kill()
    again = TextIndex(path)
    again.check()
    again.refresh(library.database)
    assert find(again, "bulk") == set(photos)
    again.check()
    again.close()
