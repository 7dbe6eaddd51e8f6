"""A copy of an analyzed photo takes over what was found of that, once their contents are known to be the same."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from open_counter import OpenCounter
from PIL import Image
from pipeline_library import Heard, Library, activate, analyze_all

from imgd.analyzers.preview import Preview, preview_path
from imgd.domain import RunMode
from imgd.pipeline.plan import ActiveAnalyzer
from imgd.pipeline.process import ChildStarter
from imgd.pipeline.scheduler import Pipeline
from imgd.pipeline.twins import copied_analyzers

SIZE = (400, 300)


def write_large(path: Path, spot: int = 0) -> Path:
    """A file of 360 kB; `spot` changes a pixel in its middle, far from what fingerprints are made of."""
    image = Image.new("RGB", SIZE, (200, 30, 30))
    image.putpixel((200, 150), (200, 30, 30 + spot))
    image.save(path)
    return path


def copy(twin: Path, name: str) -> Path:
    return Path(shutil.copyfile(twin, twin.with_name(name)))


def told(library: Library, name: str) -> dict[str, int]:
    """Analyzer -> the photo that it was called for, of the findings of the photo called `name`."""
    rows = library.rows(
        "SELECT analyzers.name, facts ->> 'photo' FROM findings JOIN photos ON photos.id = photo_id"
        " JOIN analyzers ON analyzers.id = analyzer_id WHERE display_name = ? AND facts ->> 'photo'",
        name,
    )
    return dict(rows)


def add(library: Library, active: list[ActiveAnalyzer], *paths: Path) -> Heard:
    library.register(*paths)
    heard = asyncio.run(analyze_all(library, active))
    assert (library.owed(), library.failures()) == (0, {})
    return heard


@pytest.fixture
def active(library: Library) -> list[ActiveAnalyzer]:
    from toy_twins import Inline, Model

    return activate(library, Preview, Inline, Model)


@pytest.fixture
def twin(library: Library, active: list[ActiveAnalyzer]) -> Path:
    """Photo 1, which is analyzed."""
    path = write_large(library.root / "twin.bmp")
    add(library, active, path)
    return path


def test_nobody_looks_at_a_copy_again(library: Library, active: list[ActiveAnalyzer], twin: Path) -> None:
    path = copy(twin, "copy.bmp")
    library.register(path)
    counter = OpenCounter(library.root)
    heard = asyncio.run(analyze_all(library, active))
    assert counter.take() == {str(path): 1, str(twin): 1}  # the twin's content hash was not known
    assert (library.owed(), library.failures()) == (0, {})
    assert told(library, "copy.bmp") == told(library, "twin.bmp") == {"inline": 1, "model": 1}
    assert {each.photo_id for commit in heard.commits for each in commit.counted} == {2}
    assert [commit.dropped for commit in heard.commits if commit.dropped] == []
    digest = hashlib.sha256(path.read_bytes()).digest()
    kept = "SELECT content_hash, fingerprint, format, width, height, route, damage FROM photos"
    first, second = library.rows(kept)
    assert first == second
    assert (first[0], first[3:6]) == (digest, (*SIZE, "full"))
    for table in ("vectors", "texts", "tags", "findings"):
        columns = {"vectors": "space_id, data", "texts": "text", "tags": "label_id", "findings": "facts, route"}
        rows = [
            library.rows(f"SELECT {columns[table]} FROM {table} WHERE photo_id = ? ORDER BY analyzer_id", photo)
            for photo in (1, 2)
        ]
        assert rows[0] == rows[1] != []
    previews = [preview_path(library.settings.previews, photo).read_bytes() for photo in (1, 2)]
    assert previews[0] == previews[1]


def test_a_twin_whose_hash_is_known_is_not_opened(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    add(library, active, copy(twin, "copy.bmp"))
    third = copy(twin, "third.bmp")
    library.register(third)
    counter = OpenCounter(library.root)
    asyncio.run(analyze_all(library, active))
    assert counter.take() == {str(third): 1}
    assert told(library, "third.bmp") == {"inline": 1, "model": 1}


def test_a_photo_with_the_fingerprint_of_another_one_and_a_content_of_its_own_is_analyzed(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    add(library, active, write_large(library.root / "other.bmp", spot=9))
    assert library.rows("SELECT COUNT(DISTINCT fingerprint), COUNT(content_hash) FROM photos") == [(1, 0)]
    assert told(library, "other.bmp") == {"inline": 2, "model": 2}


def test_a_twin_whose_file_has_changed_is_none(library: Library, active: list[ActiveAnalyzer], twin: Path) -> None:
    path = copy(twin, "copy.bmp")
    os.utime(twin, ns=(1, 1))
    add(library, active, path)
    assert told(library, "copy.bmp") == {"inline": 2, "model": 2}


def test_a_twin_that_is_gone_is_none(library: Library, active: list[ActiveAnalyzer], twin: Path) -> None:
    path = twin.rename(twin.with_name("moved.bmp"))
    add(library, active, path)
    assert told(library, "moved.bmp") == {"inline": 2, "model": 2}


def test_what_has_a_newer_version_than_the_twins_finding_looks_itself(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    from toy_twins import Inline, NewModel

    newer = activate(library, Preview, Inline, NewModel)
    library.database.write(lambda c: c.execute("DELETE FROM jobs")).result()  # the twin's new one comes later
    add(library, newer, copy(twin, "copy.bmp"))
    assert told(library, "copy.bmp") == {"inline": 1, "model": 2}
    reads = "SELECT facts ->> 'read' FROM findings WHERE photo_id = 2 AND analyzer_id = ?"
    assert library.rows(reads, newer[2].id) == [(1,)]  # and reads what was taken over


def test_who_reads_sidecars_looks_itself_and_reads_what_was_taken_over(library: Library) -> None:
    from toy_twins import Behind, Inline, InlineReader, Model, Reader

    active = activate(library, Inline, InlineReader, Model, Reader, Behind)
    twin = write_large(library.root / "twin.bmp")
    add(library, active, twin)
    add(library, active, copy(twin, "copy.bmp"))
    assert told(library, "copy.bmp") == {"inline": 1, "model": 1, "inlinereader": 2, "reader": 2, "behind": 2}
    reads = dict(
        library.rows(
            "SELECT name, facts ->> 'read' FROM findings JOIN analyzers ON id = analyzer_id WHERE photo_id = 2"
        )
    )
    assert (reads["inlinereader"], reads["reader"], reads["behind"]) == ('["inline"]', 1, '["reader"]')
    assert (
        library.rows("SELECT route FROM findings WHERE photo_id = 2 ORDER BY route")
        == [("",)] * 3 + [("full",)] * 2
    )


def test_what_waits_for_imgd_to_be_idle_is_taken_over_at_once(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    later = [*active[:2], dataclasses.replace(active[2], run=RunMode.IDLE)]
    add(library, later, copy(twin, "copy.bmp"))
    assert told(library, "copy.bmp") == {"inline": 1, "model": 1}


def test_a_preview_that_is_gone_is_made_anew(library: Library, active: list[ActiveAnalyzer], twin: Path) -> None:
    preview_path(library.settings.previews, 1).unlink()
    add(library, active, copy(twin, "copy.bmp"))
    assert preview_path(library.settings.previews, 2).exists()
    assert told(library, "copy.bmp") == {"inline": 1, "model": 1}


def test_a_file_that_becomes_a_copy_takes_over_what_the_other_one_has(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    path = write_large(library.root / "other.bmp", spot=9)
    add(library, active, path)
    path.write_bytes(twin.read_bytes())
    library.database.write(lambda c: c.execute("UPDATE photos SET fingerprint = NULL WHERE id = 2")).result()
    add(library, active, path)
    assert told(library, "other.bmp") == {"inline": 1, "model": 1}
    assert library.rows("SELECT COUNT(*) FROM vectors WHERE photo_id = 2") == [(1,)]


def test_a_twin_that_changes_before_the_commit_gives_nothing(
    library: Library, let_through: Callable[[int], None]
) -> None:
    """Its revision moves between the claim and the commit: the photo stays owed, and is analyzed."""
    from toy_twins import Gate, Inline, Model

    active = activate(library, Inline, Model, Gate)
    twin = write_large(library.root / "twin.bmp")
    add(library, active, twin)
    library.register(copy(twin, "copy.bmp"))
    sign = library.root.with_name("sign")

    async def move(pipeline: Pipeline, starter: ChildStarter) -> None:
        while not sign.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        work = library.database.write(
            lambda c: c.execute("UPDATE photos SET revision = 2, file_revision = 2 WHERE id = 1")
        )
        await asyncio.wrap_future(work)
        let_through(1)

    heard = asyncio.run(analyze_all(library, active, during=move))
    assert len([each for commit in heard.commits for each in commit.dropped]) == 2
    assert told(library, "copy.bmp") == {"inline": 2, "model": 2, "gate": 2}
    assert (library.owed(), library.failures()) == (0, {})


def test_only_what_comes_of_the_file_alone_is_taken_over(library: Library) -> None:
    from toy_twins import Behind, Inline, InlineReader, Keeper, Model, Reader

    active = {
        each.id: each for each in activate(library, Preview, Inline, InlineReader, Model, Reader, Behind, Keeper)
    }
    assert {active[id_].name for id_ in copied_analyzers(active)} == {"preview", "inline", "model"}


def test_who_reads_what_is_found_anew_is_not_taken_over(
    library: Library, active: list[ActiveAnalyzer], twin: Path
) -> None:
    """`model` read a finding of `inline` that is none of the copy's, which `inline` looks at itself."""
    library.database.write(
        lambda c: c.execute(
            "UPDATE findings SET generation = 0"
            " WHERE photo_id = 1 AND analyzer_id = (SELECT id FROM analyzers WHERE name = 'inline')"
        )
    ).result()
    add(library, active, copy(twin, "copy.bmp"))
    assert told(library, "copy.bmp") == {"inline": 2, "model": 2}
    assert library.findings("model")["copy.bmp"]["read"] == 2
