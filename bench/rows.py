"""The rows of photos that were analyzed, straight into the tables."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import world
from events import Event
from exposures import METADATA_COLUMNS, make_metadata
from looks import photo_vectors
from world import CAMERAS, Integers, Zipf

from imgd.analyzers.preview import Preview

LOOKS, WORDS, PEOPLE = "bench-looks", "bench-words", "bench-people"
"""Analyzers that no plugin brings: their findings are in the library, and are owed by nobody."""

_COMMIT = 256
"""Photos of one change number: a commit of the pipeline."""
_CAPTION_WORDS, _TEXT_WORDS = 9, 27
_TECHNICAL = (
    "sharpness", "brightness", "contrast", "noise", "colourfulness", "clipped_shadows", "clipped_highlights",
)  # fmt: skip


class PhotoWriter:
    """Writes photos with all that was found in them, a block of events at a time."""

    def __init__(
        self, connection: sqlite3.Connection, analyzers: Mapping[str, int], random: np.random.Generator, count: int
    ) -> None:
        self._connection = connection
        self._analyzers = analyzers
        self._random = random
        self._unique = world.unique_count(count)
        self._apart = count // max(1, self._unique)
        self._serials: dict[str, int] = {}
        self._words = np.array(world.vocabulary(), dtype=object)
        self._zipf = Zipf(world.VOCABULARY)
        self._label_zipf = Zipf(world.LABELS)

    def put(self, block: Sequence[tuple[int, Event]]) -> None:
        photos = [(folder, event, offset) for folder, event in block for offset in range(event.count)]
        clusters = np.array(
            [event.clusters[offset * 7 // 20 % len(event.clusters)] for _, event, offset in photos]
        )
        self._connection.execute("BEGIN")
        taken = self._put_photos(photos)
        self._put_technical(photos)
        labels = self._put_tags(photos, clusters)
        self._put_people(photos)
        self._put_texts(photos, labels, taken)
        self._put_vectors(photos, clusters)
        self._put_findings(photos)
        self._connection.execute("COMMIT")

    def _many(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _id(self, event: Event, offset: int) -> int:
        return event.first + offset + 1

    def _put_photos(self, photos: Sequence[tuple[int, Event, int]]) -> list[dict[str, Any]]:
        """Photos and their metadata; returns the facts of each."""
        random = self._random
        draws = random.random((len(photos), 8))
        marks = random.bytes(16 * len(photos))
        rows, metadata, findings, facts = [], [], [], []
        for place, ((folder, event, offset), draw) in enumerate(zip(photos, draws.tolist(), strict=True)):
            id_ = self._id(event, offset)
            camera = CAMERAS[event.camera]
            other = draw[0] < camera.other_share
            name = self._file_name(id_, camera, other=other)
            upright = draw[1] < 0.27
            width, height = camera.long_px, camera.short_px
            if upright:
                width, height = height, width
            # Bursts: most photos follow the one before within seconds, and pauses are long.
            share = (offset - offset % 6 + 0.1 * (offset % 6)) / event.count
            moment = event.begins + datetime.timedelta(hours=event.hours * share)
            made = make_metadata(camera, event, moment, draw, upright=upright, width=width, height=height)
            modified = int(moment.timestamp() * 1e9)
            format_ = camera.other_format if other else "jpeg"
            size = int(width * height * ({"raw": 1.1, "heic": 0.2, "jpeg": 0.3}[format_]) * (0.6 + 0.8 * draw[2]))
            rows.append((
                id_, folder, name.encode(), name, size, modified, 2049, 1_000_000 + id_,
                marks[16 * place : 16 * place + 16], None, 1, width, height, format_,
                {"raw": "preview", "heic": "full", "jpeg": "dct 1/4"}[format_], "", "present", None,
                modified / 1e9 + 86_400, id_ // _COMMIT + 1,
            ))  # fmt: skip
            metadata.append((id_, *(made.get(column) for column in METADATA_COLUMNS)))
            findings.append((id_, made))
            facts.append(made)
        self._many("photos", rows)
        self._many("metadata", metadata)
        self._put_facts("metadata", findings)
        return facts

    def _file_name(self, id_: int, camera: world.Camera, *, other: bool) -> str:
        number, within = divmod(id_, self._apart)
        if within == 2 and number < self._unique:
            return world.unique_file(number)
        pattern = camera.other_name if other else camera.jpeg_name
        serial = self._serials.get(camera.jpeg_name, 0) % 9_999 + 1
        self._serials[camera.jpeg_name] = serial
        return pattern.format(serial)

    def _put_technical(self, photos: Sequence[tuple[int, Event, int]]) -> None:
        random, count = self._random, len(photos)
        measures = np.stack([
            np.round(random.lognormal(5.0, 1.0, count), 2),
            np.round(random.beta(4, 4, count), 4),
            np.round(random.beta(3, 9, count), 4),
            np.round(random.lognormal(0.6, 0.6, count), 3),
            np.round(random.gamma(3.0, 12.0, count), 2),
            np.round(random.beta(0.4, 12, count), 5),
            np.round(random.beta(0.3, 12, count), 5),
        ], axis=1).tolist()  # fmt: skip
        hashes = random.integers(0, 1 << 62, count).tolist()
        rows = [
            (self._id(event, offset), dict(zip(_TECHNICAL, values, strict=True)) | {"phash": f"{mark:016x}"})
            for (_, event, offset), values, mark in zip(photos, measures, hashes, strict=True)
        ]
        self._put_facts("technical", rows)

    def _put_facts(self, analyzer: str, facts: Sequence[tuple[int, dict[str, Any]]]) -> None:
        """A finding's declared facts once as JSON, and once as rows that filters read."""
        id_ = self._analyzers[analyzer]
        first, last = facts[0][0], facts[-1][0]
        self._connection.executemany(
            "INSERT INTO findings VALUES (?, ?, 1, 1, 1.7e9, ?, '')",
            [(photo, id_, json.dumps(dict(sorted(each.items())))) for photo, each in facts],
        )
        self._connection.execute(
            "INSERT INTO facts SELECT photo_id, analyzer_id, key, CASE type WHEN 'text' THEN NULL ELSE atom END, "
            "CASE type WHEN 'text' THEN atom END FROM findings, json_each(findings.facts) "
            "WHERE photo_id BETWEEN ? AND ? AND analyzer_id = ? AND type <> 'null'",
            (first, last, id_),
        )

    def _put_tags(self, photos: Sequence[tuple[int, Event, int]], clusters: Integers) -> list[list[int]]:
        """6 to 8 labels a photo, half of them those of its cluster; returns them, the strongest first."""
        random, count = self._random, len(photos)
        drawn = self._label_zipf.draw(random, (count, 8)).tolist()
        kept = (random.random((count, world.THEME_LABELS)) < 0.75).tolist()
        scores = np.round(random.beta(3.0, 2.0, (count, 8)), 4).tolist()
        wanted = random.integers(6, 9, count).tolist()
        themes = world.themes()[clusters].tolist()
        rows, chosen = [], []
        for place, (_, event, offset) in enumerate(photos):
            id_ = self._id(event, offset)
            theme = [label for label, keep in zip(themes[place], kept[place], strict=True) if keep]
            labels = list(dict.fromkeys(theme + drawn[place]))[: wanted[place]]
            given = dict(zip(labels, sorted(scores[place], reverse=True), strict=False))
            number, within = divmod(id_, self._apart)
            tags = [(label + 1, score) for label, score in given.items()]
            if within == 0 and number and number <= self._unique:
                tags.append((world.LABELS + number, 0.9))
            rows += [(id_, self._analyzers[LOOKS], label, score) for label, score in sorted(tags)]
            chosen.append(labels)
        self._many("tags", rows)
        return chosen

    def _put_people(self, photos: Sequence[tuple[int, Event, int]]) -> None:
        """A fifth of the photos shows one to three people of its occasion."""
        random, names = self._random, world.people()
        draws = random.random((len(photos), 6)).tolist()
        rows = []
        for (_, event, offset), draw in zip(photos, draws, strict=True):
            id_ = self._id(event, offset)
            shown: list[str] = []
            if draw[0] < 0.2:
                wanted = 1 + (draw[1] > 0.6) + (draw[1] > 0.9)
                shown = list(
                    dict.fromkeys(names[event.people[int(each * len(event.people))]] for each in draw[2:])
                )
                shown = shown[:wanted]
            number, within = divmod(id_, self._apart)
            if within == 1 and number < self._unique:
                shown.append(world.unique_name(number))
            rows += [
                (id_, self._analyzers[PEOPLE], rank, "person", name, 0.9, 0.2 * rank, 0.2, 0.15, 0.2, "[]", None)
                for rank, name in enumerate(shown)
            ]
        self._many("regions", rows)

    def _put_texts(
        self,
        photos: Sequence[tuple[int, Event, int]],
        labels: Sequence[Sequence[int]],
        facts: Sequence[dict[str, Any]],
    ) -> None:
        """A caption that names the two strongest labels, text in the picture, and for some keywords."""
        words = self._words[self._zipf.draw(self._random, (len(photos), _CAPTION_WORDS + _TEXT_WORDS))].tolist()
        draws = self._random.random(len(photos)).tolist()
        said, keywords = [], []
        own, metadata = self._analyzers[WORDS], self._analyzers["metadata"]
        for (_, event, offset), drawn, chosen, draw, made in zip(photos, words, labels, draws, facts, strict=True):
            id_ = self._id(event, offset)
            where = [made[key] for key in ("city", "region", "country") if made.get(key)]
            if where:
                said.append((id_, metadata, 0, "place", ", ".join(dict.fromkeys(where))))
            camera = f"{made['camera_model']} {made['lens']}"
            said.append((id_, metadata, 1, "camera", camera))
            first, second = (world.labels()[each] for each in chosen[:2])
            said.append((id_, own, 0, "caption", f"a {first} and a {second} " + " ".join(drawn[:_CAPTION_WORDS])))
            said.append((id_, own, 1, "text", " ".join(drawn[_CAPTION_WORDS:])))
            if draw < 0.15:
                said.append((id_, own, 2, "keyword", second))
                keywords.append((id_, own, chosen[1] + 1, 1.0))
        self._many("texts", said)
        self._many("tags", keywords)

    def _put_vectors(self, photos: Sequence[tuple[int, Event, int]], clusters: Integers) -> None:
        vectors = photo_vectors(clusters, self._random).astype(np.float16)
        own = self._analyzers[LOOKS]
        ids = (self._id(event, offset) for _, event, offset in photos)
        self._many(
            "vectors", [(id_, 1, id_, own, None, 1, row.tobytes()) for id_, row in zip(ids, vectors, strict=True)]
        )

    def _put_findings(self, photos: Sequence[tuple[int, Event, int]]) -> None:
        """Of the analyzers whose findings have no facts."""
        first, last = self._id(*photos[0][1:]), self._id(*photos[-1][1:])
        for name in (Preview.name, LOOKS, WORDS, PEOPLE):
            self._connection.execute(
                "INSERT INTO findings SELECT id, ?, 1, 1, 1.7e9, '{}', '' FROM photos WHERE id BETWEEN ? AND ?",
                (self._analyzers[name], first, last),
            )
