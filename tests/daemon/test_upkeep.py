"""Sweeping the preview cache."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pipeline_library import open_library, write_photo

from imgd.analyzers.preview import preview_path, write_private
from imgd.daemon.upkeep import sweep_previews


def test_previews_of_forgotten_photos_and_leftovers_go_and_the_others_stay(tmp_path: Path) -> None:
    previews = tmp_path / "previews"
    with open_library(tmp_path) as library:
        library.register(write_photo(library.root / "kept.jpg"))
        (kept_id,) = library.rows("SELECT id FROM photos")[0]
        kept, forgotten, young = (preview_path(previews, number) for number in (kept_id, 999, 1000))
        leftover = forgotten.parent / ".999.jpg.1a2b3c4d"
        for path in (kept, forgotten, leftover, young):
            write_private(path, b"preview")
        hours_ago = time.time() - 7200
        for path in (kept, forgotten, leftover):
            os.utime(path, (hours_ago, hours_ago))
        assert sweep_previews(previews, library.database) == 2
        assert kept.exists()
        assert young.exists()
        assert not forgotten.exists()
        assert not leftover.exists()
        assert sweep_previews(previews, library.database) == 0


def test_a_cache_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        assert sweep_previews(tmp_path / "nowhere", library.database) == 0
