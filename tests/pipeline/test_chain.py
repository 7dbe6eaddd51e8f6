"""Model analyzers that read one another's findings: in one pass, without pixels where they need none."""

from __future__ import annotations

import asyncio

import pytest
from pipeline_library import Library, analyze_all, make_photos

from imgd.domain import Outcome, StoredFinding, Text
from imgd.store.findings import commit
from imgd.store.readers import declare_reads


def test_what_reads_a_model_runs_in_the_same_pass_over_the_photo(library: Library) -> None:
    from toy_chain import Captions, Judge, Lengths

    active = library.activate(Judge, Lengths, Captions)
    make_photos(library, [f"{number}.jpg" for number in range(9)])
    heard = asyncio.run(analyze_all(library, active))
    lengths, judged = library.findings("lengths"), library.findings("judge")
    assert lengths == {f"{number}.jpg": {"length": 10, "pixels": False} for number in range(9)}
    assert judged == {f"{number}.jpg": {"long": True, "edge": 16} for number in range(9)}
    reports = library.rows("SELECT COUNT(*) FROM findings WHERE route LIKE 'dct%'")
    assert reports == [(18,)]  # of the two that have pixels
    assert heard.changed == []


def test_what_reads_a_failed_model_runs_without_it(library: Library) -> None:
    from toy_chain import Captions, Lengths

    active = library.activate(Lengths, Captions)
    make_photos(library, ["a.jpg", "mute.jpg"])
    asyncio.run(analyze_all(library, active))
    assert library.findings("lengths")["mute.jpg"]["length"] == 0
    assert library.findings("lengths")["a.jpg"]["length"] == 10
    assert library.failures() == {("mute.jpg", "captions"): "nothing to say"}


def test_a_photo_without_pixels_still_gives_what_needs_none(library: Library) -> None:
    from toy_chain import Captions, Lengths

    active = library.activate(Lengths, Captions)
    broken = library.root / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    library.register(broken)
    asyncio.run(analyze_all(library, active))
    assert library.findings("lengths")["broken.jpg"]["length"] == 0
    assert set(library.failures()) == {("broken.jpg", "captions")}


def test_what_needs_no_pixels_is_found_without_a_look_at_the_file(library: Library) -> None:
    from toy_chain import Captions, Lengths

    active = library.activate(Lengths, Captions)
    [path] = make_photos(library, ["a.jpg"])
    captions = next(each.id for each in active if each.name == "captions")
    said = Outcome(1, captions, 1, StoredFinding(texts=[Text("caption", "three red walls")]))
    library.database.write(lambda connection: commit(connection, [], [said], 1.0)).result()
    path.unlink()
    heard = asyncio.run(analyze_all(library, active))
    assert library.findings("lengths") == {"a.jpg": {"length": 15, "pixels": False}}
    assert (library.owed(), heard.changed) == (0, [])


def test_what_reads_a_model_that_cannot_be_loaded_runs_without_it_at_once(library: Library) -> None:
    from toy_chain import Captions, Lengths

    gone = Captions.declared(version="2")
    gone.__qualname__ = "NoSuchClass"
    active = library.activate(Lengths, gone)
    make_photos(library, ["a.jpg", "b.jpg"])
    heard = asyncio.run(analyze_all(library, active))
    assert set(heard.broke) == {"captions"}
    assert library.rows("SELECT COUNT(*) FROM jobs WHERE not_before > 0") == [(0,)], "nobody waits for it"
    assert library.owed() == 2
    lengths = library.findings("lengths")
    assert {name: facts["length"] for name, facts in lengths.items()} == {"a.jpg": 0, "b.jpg": 0}


def test_what_reads_a_model_that_is_put_off_waits_with_it(library: Library) -> None:
    from toy_chain import Full, Lengths

    active = library.activate(Lengths, Full)
    make_photos(library, ["a.jpg", "full.jpg"])
    asyncio.run(analyze_all(library, active))
    assert library.findings("lengths").keys() == {"a.jpg"}
    put_off = library.rows("SELECT reason FROM jobs WHERE state = 'owed' AND not_before > 0 ORDER BY reason")
    assert put_off == [("The disk is full: no room",), ("waits for captions",)]


def test_what_reads_a_model_that_comes_later_follows_it_photo_by_photo(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy_chain import Captions, Lengths

    monkeypatch.setattr("imgd.pipeline.scheduler._CLAIM_PHOTOS", 4)
    monkeypatch.setattr("imgd.pipeline.scheduler._MAX_IN_FLIGHT", 4)
    active = library.activate(Lengths)
    make_photos(library, [f"{number}.jpg" for number in range(24)])
    asyncio.run(analyze_all(library, active))
    active = library.activate(Lengths, Captions)
    library.database.write(lambda connection: declare_reads(connection, "lengths", Lengths.after)).result()
    heard = asyncio.run(analyze_all(library, active))
    assert {facts["length"] for facts in library.findings("lengths").values()} == {10}
    ids = {each.name: each.id for each in active}
    found = [outcome.analyzer_id for commit in heard.commits for outcome in commit.counted]
    assert sorted(found) == sorted([*ids.values()] * 24)
    assert ids["captions"] in found[found.index(ids["lengths"]) :]


def test_an_inline_analyzer_goes_on_without_a_model_that_breaks_late(library: Library) -> None:
    from toy_analyzers import Shape
    from toy_chain import Late, Reader

    active = library.activate(Shape, Late, Reader)
    make_photos(library, ["a.jpg", "b.jpg"])
    heard = asyncio.run(analyze_all(library, active))
    assert set(heard.broke) == {"late"}
    assert library.findings("reader") == {"a.jpg": {"read": 0}, "b.jpg": {"read": 0}}
    assert library.owed() == 2
