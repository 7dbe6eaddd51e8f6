"""A changed setting makes one analyzer's findings owed again, and nothing else."""

from __future__ import annotations

from daemon_process import Daemon, daemon
from sample_photos import make_photo

from imgd.domain import Priority


def analyzed_at(library: Daemon, analyzer: str) -> set[tuple[int, float]]:
    return set(
        library.rows(
            "SELECT photo_id, analyzed_at FROM findings"
            " JOIN analyzers ON analyzers.id = analyzer_id WHERE name = ?",
            analyzer,
        )
    )


def preview_bytes(library: Daemon) -> int:
    return sum(path.stat().st_size for path in library.cache_dir.rglob("*.jpg"))


def test_another_preview_quality_reruns_preview_alone_at_its_own_size() -> None:
    with daemon() as library:
        photo = make_photo(library.root / "big.jpg", 1, size=(4800, 3600))
        library.start()
        library.wait()
        first = library.show(photo)
        before = {name: analyzed_at(library, name) for name in ("metadata", "preview", "technical")}
        size = preview_bytes(library)
        assert library.stop() == 0

        library.configure(analyzers={"preview": {"quality": 30}})
        library.start()
        library.wait()
        after = library.show(photo)
        assert analyzed_at(library, "technical") == before["technical"]
        assert analyzed_at(library, "metadata") == before["metadata"]
        assert len(analyzed_at(library, "preview")) == 1
        assert not analyzed_at(library, "preview") & before["preview"]
        assert preview_bytes(library) < size
        assert first["route"] == "dct 1/4"
        assert after["route"] == "dct 1/8"
        assert not any(each["stale"] for each in after["findings"])


def test_the_old_finding_serves_until_the_new_one_is_made() -> None:
    with daemon() as library:
        photo = make_photo(library.root / "photo.jpg", 1)
        library.start()
        library.wait()
        assert library.stop() == 0
        # The analyzer whose finding is owed cannot run yet: its photo's root is offline.
        library.configure(analyzers={"preview": {"quality": 30}})
        library.root.rename(library.base / "unplugged")
        library.start()
        findings = library.findings(photo)
        assert findings["preview"]["stale"] is True
        assert findings["technical"]["stale"] is False
        assert library.rows(
            "SELECT analyzers.name, jobs.state, priority FROM jobs JOIN analyzers ON analyzers.id = analyzer_id"
        ) == [("preview", "owed", int(Priority.REANALYSIS))]
        (library.base / "unplugged").rename(library.root)
        library.until(lambda: library.status()["roots"][0]["state"] == "online")
        library.wait()
        assert library.findings(photo)["preview"]["stale"] is False
