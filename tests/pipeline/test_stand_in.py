"""The cached preview stands in for the photo when that is analyzed again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from pipeline_library import Library, activate, analyze_all, write_photo

from imgd.analyzers.preview import Preview, preview_path
from imgd.pipeline.plan import ActiveAnalyzer


def owe(library: Library, *names: str) -> None:
    """An hour has passed, and these are owed again."""
    library.database.write(lambda c: c.execute("UPDATE findings SET analyzed_at = analyzed_at - 3600")).result()
    for name in names:
        library.database.write(
            lambda c, name=name: c.execute(  # type: ignore[misc]
                "INSERT INTO jobs (photo_id, analyzer_id, priority)"
                " SELECT photos.id, analyzers.id, 30 FROM photos, analyzers WHERE analyzers.name = ?",
                (name,),
            )
        ).result()


def make_unreadable(path: Path) -> None:
    """Nothing can be decoded of it any more, and it looks as it was registered: whoever opens it fails."""
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def analyzed(library: Library) -> tuple[Library, list[ActiveAnalyzer], Path]:
    """A library of one photo with a preview, which owes nothing."""
    from toy_analyzers import Header, Lane, Shape

    active = activate(library, Preview, Shape, Lane, Header)
    path = write_photo(library.root / "a.jpg", (1600, 1200))
    library.register(path)
    asyncio.run(analyze_all(library, active))
    assert library.owed() == 0
    return library, active, path


def test_the_file_is_not_opened_for_what_the_preview_covers(
    analyzed: tuple[Library, list[ActiveAnalyzer], Path],
) -> None:
    library, active, path = analyzed
    make_unreadable(path)
    before = library.rows("SELECT format, width, height, route, fingerprint FROM photos")
    owe(library, "shape", "lane")
    heard = asyncio.run(analyze_all(library, active))
    assert sum(len(each.counted) for each in heard.commits) == 2
    assert library.failures() == {}
    assert library.findings("shape") == {
        "a.jpg": {"pixels_wide": 200, "pixels_high": 150, "full": [1600, 1200], "format": "jpeg"}
    }
    assert library.findings("lane")["a.jpg"]["pixels"] == [48, 64, 3]
    routes = "SELECT name, route FROM findings JOIN analyzers ON id = analyzer_id"
    assert dict(library.rows(routes)) == {
        "preview": "dct 3/8",
        "shape": "cached preview",
        "lane": "cached preview",
        "header": "",
    }
    assert library.rows("SELECT format, width, height, route, fingerprint FROM photos") == before


def test_the_file_is_opened_where_the_preview_is_gone_broken_or_not_enough(
    analyzed: tuple[Library, list[ActiveAnalyzer], Path],
) -> None:
    library, active, _ = analyzed
    preview = preview_path(library.settings.previews, 1)
    for change in (
        preview.unlink,
        lambda: preview.write_bytes(b"\xff\xd8\xff"),
        lambda: write_photo(preview, (9, 9)),
    ):
        change()
        owe(library, "shape")
        asyncio.run(analyze_all(library, active))
        assert library.failures() == {}
        assert library.findings("shape")["a.jpg"]["full"] == [1600, 1200]


@pytest.mark.parametrize("name", ["preview", "header"])
def test_whoever_needs_the_original_or_the_file_gets_it(
    analyzed: tuple[Library, list[ActiveAnalyzer], Path], name: str
) -> None:
    library, active, path = analyzed
    make_unreadable(path)
    owe(library, "shape", name)
    asyncio.run(analyze_all(library, active))
    assert ("a.jpg", "shape") in library.failures()


def test_an_analyzer_that_asks_for_the_bytes_of_a_photo_that_its_preview_stands_in_for_gets_them(
    library: Library,
) -> None:
    from toy_analyzers import Peek

    active = activate(library, Preview, Peek)
    path = write_photo(library.root / "a.jpg", (1600, 1200))
    library.register(path)
    asyncio.run(analyze_all(library, active))
    owe(library, "peek")
    heard = asyncio.run(analyze_all(library, active))
    assert sum(len(each.counted) for each in heard.commits) == 1
    assert library.findings("peek")["a.jpg"] == {"bytes": path.stat().st_size, "starts": "ffd8ff"}


def test_a_file_that_is_gone_when_its_bytes_are_asked_for_fails_no_analyzer(library: Library) -> None:
    from toy_analyzers import Unlinking

    active = activate(library, Preview, Unlinking)
    path = write_photo(library.root / "a.jpg", (1600, 1200))
    library.register(path)
    asyncio.run(analyze_all(library, active[:1]))
    owe(library)
    heard = asyncio.run(analyze_all(library, active))
    assert library.failures() == {}
    assert library.owed() == 1
    assert heard.changed == [os.fsencode(path)]


def test_a_file_that_changed_is_not_stood_in_for(analyzed: tuple[Library, list[ActiveAnalyzer], Path]) -> None:
    library, active, path = analyzed
    write_photo(path, (800, 800))
    owe(library, "shape")
    heard = asyncio.run(analyze_all(library, active))
    assert heard.changed == [os.fsencode(path)]
    assert library.owed() == 1
    library.register(path)  # its revision is another now: the preview is of the old one
    library.database.write(lambda c: c.execute("UPDATE jobs SET not_before = 0, attempts = 0")).result()
    asyncio.run(analyze_all(library, active))
    assert library.findings("shape")["a.jpg"]["full"] == [800, 800]
