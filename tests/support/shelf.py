"""A library of a few photos that differ in all that filters ask about, and its text index; filled by plain SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from imgd.analyzers.technical import Technical
from imgd.index.text import TextIndex
from imgd.index.words import Words
from imgd.search.conditions import Condition
from imgd.search.filters import Filters
from imgd.search.grammar import parse
from imgd.search.vocabulary import Vocabulary
from imgd.store.changes import next_change_seq
from imgd.store.database import Database
from imgd.store.migrate import migrations

TODAY = date(2023, 7, 12)  # a Wednesday
ANALYZERS = {"metadata": 1, "technical": 2, "objects": 3, "preview": 4, "concepts": 5}
COUNTED = {"objects.*": int, "objects.zebra": int}
"""Facts that the analyzer `concepts` declares."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo: its path below the root `/home/me/Pictures`, and what is known of it."""

    path: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    texts: Iterable[tuple[str, str]] = ()
    regions: Iterable[tuple[str, str, float]] = ()
    photo: Mapping[str, Any] = field(default_factory=dict)
    sidecar: bool = False
    job: str = ""
    findings: Iterable[str] = ("metadata", "technical")


class Shelf:
    """The library. `find` asks a query of filters for the names of photos."""

    def __init__(self, folder: Path, photos: Iterable[Shown]) -> None:
        self.database = Database(folder / "library.db", migrations())
        self.text = TextIndex(folder / "text.db")
        self.ids: dict[str, int] = {}
        self.add(photos)
        self.vocabulary = Vocabulary(self.database, {"technical": Technical.facts, "concepts": COUNTED})
        self.filters = Filters(self.database, Words(self.text), self.vocabulary, lambda: TODAY)

    def add(self, photos: Iterable[Shown]) -> None:
        self.database.write(lambda connection: self._fill(connection, photos)).result()
        self.text.refresh(self.database)

    def compile(self, query: str) -> Condition:
        return self.filters.compile(parse(query, self.vocabulary.facts()))

    def find(self, query: str) -> set[str]:
        found = set(self.compile(query).all_ids().tolist())
        return {path.rsplit("/", 1)[-1] for path, photo_id in self.ids.items() if photo_id in found}

    def lose(self, path: str) -> None:
        """Its file is missing from now on."""

        def work(connection: sqlite3.Connection) -> None:
            change_seq = next_change_seq(connection)
            connection.execute(
                "UPDATE photos SET state = 'missing', missing_since = 1.0, change_seq = ? WHERE id = ?",
                (change_seq, self.ids[path]),
            )

        self.database.write(work).result()

    def remove(self, path: str) -> None:
        """The library forgets it; the text index has not heard of that."""

        def work(connection: sqlite3.Connection) -> None:
            next_change_seq(connection)
            connection.execute("DELETE FROM photos WHERE id = ?", (self.ids[path],))

        self.database.write(work).result()

    def close(self) -> None:
        self.text.close()
        self.database.close()

    def _fill(self, connection: sqlite3.Connection, photos: Iterable[Shown]) -> None:
        change_seq = next_change_seq(connection)
        connection.execute(
            "INSERT OR IGNORE INTO roots (id, path, display_path) VALUES (1, ?, '/home/me/Pictures')",
            (b"/home/me/Pictures",),
        )
        connection.executemany(
            "INSERT OR IGNORE INTO analyzers (id, name, version, digest) VALUES (?, ?, '1', '')",
            [(id_, name) for name, id_ in ANALYZERS.items()],
        )
        for photo in photos:
            self._put(connection, photo, change_seq)

    def _put(self, connection: sqlite3.Connection, shown: Shown, change_seq: int) -> None:
        folder, _, name = shown.path.rpartition("/")
        connection.execute(
            "INSERT OR IGNORE INTO folders (root_id, path, display_path) VALUES (1, ?, ?)",
            (folder.encode(), folder),
        )
        columns = {"format": "jpeg", "width": 4000, "height": 3000, "size": 5_000_000} | dict(shown.photo)
        photo_id = _insert(
            connection,
            "photos",
            {
                "folder_id": connection.execute(
                    "SELECT id FROM folders WHERE display_path = ?", (folder,)
                ).fetchone()[0],
                "name": name.encode(),
                "display_name": name,
                **dict.fromkeys(("mtime_ns", "device", "added_at"), 1),
                "inode": len(self.ids) + 1,
                "change_seq": change_seq,
                **columns,
            },
        )
        self.ids[shown.path] = photo_id
        if shown.metadata:
            _insert(connection, "metadata", {"photo_id": photo_id, **shown.metadata})
        for key, value in shown.facts.items():
            analyzer, _, bare = key.partition("/")
            kind = "text" if isinstance(value, str) else "number"
            of_whom = {"photo_id": photo_id, "analyzer_id": ANALYZERS[analyzer]}
            _insert(connection, "facts", {**of_whom, "key": bare, kind: value})
        for label, score in shown.tags.items():
            connection.execute("INSERT OR IGNORE INTO labels (label) VALUES (?)", (label,))
            connection.execute(
                "INSERT INTO tags SELECT ?, 3, id, ? FROM labels WHERE label = ?", (photo_id, score, label)
            )
        for ordinal, (kind, text) in enumerate(shown.texts):
            connection.execute("INSERT INTO texts VALUES (?, 1, ?, ?, ?)", (photo_id, ordinal, kind, text))
        for ordinal, (kind, label, score) in enumerate(shown.regions):
            connection.execute(
                "INSERT INTO regions (photo_id, analyzer_id, ordinal, kind, label, score, box_left, box_top,"
                " box_width, box_height) VALUES (?, 1, ?, ?, ?, ?, 0, 0, 1, 1)",
                (photo_id, ordinal, kind, label, score),
            )
        if shown.sidecar:
            connection.execute(
                "INSERT INTO sidecars (photo_id, name, size, mtime_ns) VALUES (?, x'61', 1, 1)", (photo_id,)
            )
        if shown.job:
            connection.execute(
                "INSERT INTO jobs (photo_id, analyzer_id, priority, state) VALUES (?, 3, 20, ?)",
                (photo_id, shown.job),
            )
        for analyzer in shown.findings:
            connection.execute(
                "INSERT INTO findings (photo_id, analyzer_id, generation, revision, analyzed_at, facts)"
                " VALUES (?, ?, 1, 1, 0, '{}')",
                (photo_id, ANALYZERS[analyzer]),
            )


def _insert(connection: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> int:
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join("?" * len(values))
    cursor = connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))
    return cursor.lastrowid or 0


BEACH = Shown(
    "2023/trip to Lisbon/IMG_1201.jpg",
    metadata={
        "taken_at": "2023-06-24T10:30:00.000", "camera_make": "SONY", "camera_model": "ILCE-7M3",
        "lens": "FE 24-70mm F2.8 GM", "iso": 100.0, "aperture": 2.8, "shutter_s": 1 / 500, "focal_mm": 35.0,
        "rating": 5, "lat": 38.7167, "lon": -9.1333, "altitude_m": 12.0,
        "city": "Lisboa", "region": "Lisboa", "country": "Portugal", "country_code": "PT",
    },
    facts={
        "technical/sharpness": 900.0, "technical/brightness": 0.61, "technical/colourfulness": 55.0,
        "metadata/flash": 0.0, "metadata/artist": "Zoë Núñez",
        "concepts/objects": 3.0, "concepts/objects.person": 2.0, "concepts/objects.dining_table": 1.0,
    },
    tags={"beach": 0.9, "Animals|Dog": 1.0, "cat": 0.2},
    texts=[("caption", "Evening at the shore"), ("text", "Praia da Rocha")],
    regions=[("face", "Anna Kern", 0.9)],
    findings=("metadata", "technical", "objects", "preview"),
)  # fmt: skip
NIGHT = Shown(
    "2023/trip to Lisbon/IMG_1202.CR2",
    metadata={
        "taken_at": "2023-08-31T23:59:59.900", "camera_make": "Canon", "camera_model": "Canon EOS 6D",
        "lens": "EF50mm f/1.8 STM", "iso": 6400.0, "aperture": 1.8, "shutter_s": 2.0, "focal_mm": 50.0,
        "rating": -1, "lat": 38.80, "lon": -9.38, "altitude_m": 480.0,
        "city": "Sintra", "region": "Lisboa", "country": "Portugal", "country_code": "PT",
    },
    facts={
        "technical/sharpness": 12.0, "technical/brightness": 0.05, "technical/colourfulness": 20.0,
        "objects/brightness": 0.5, "metadata/flash": 1.0, "concepts/objects": 0.0,
    },
    tags={"Dog": 0.8, "night": 0.9},
    texts=[("person", "Anna Müller")],
    photo={"format": "raw", "width": 5472, "height": 3648, "size": 25_000_000},
    sidecar=True,
)  # fmt: skip
SCAN = Shown(
    "scans/Größe_50%.png",
    metadata={"taken_at": "1999-12-31T12:00:00.000", "rating": 0, "country_code": "DE"},
    facts={"technical/sharpness": 300.0, "technical/brightness": 0.9, "technical/colourfulness": 0.0},
    tags={"document": 0.95},
    texts=[("text", "Invoice 42"), ("caption", "Invoice of the dog")],
    photo={"format": "png", "width": 1200, "height": 1800, "size": 900_000},
)
BROKEN = Shown(
    "2022/DSC_0001.jpg",
    photo={"damage": "truncated", "width": 1000, "height": 1000, "size": 1024},
    regions=[("face", "", 0.8)],
    job="failed",
    findings=(),
)
NEW = Shown(
    "2022/trip/IMG_1203.HEIC", photo={"format": None, "width": None, "height": None}, job="owed", findings=()
)
PHOTOS = (BEACH, NIGHT, SCAN, BROKEN, NEW)
