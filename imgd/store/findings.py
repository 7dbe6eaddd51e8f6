"""Committing what was found: findings, finished jobs and the change number of a batch, in one transaction."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from imgd.domain import Decoded, Outcome, Region, StoredFinding, Tag, Text
from imgd.store.changes import next_change_seq
from imgd.store.readers import owe_readers
from imgd.store.statements import load_statements
from imgd.store.twins import copy_findings, describe_copies, split_stale

_SQL = load_statements("imgd.store", "findings")
_JOBS = load_statements("imgd.store", "jobs")

METADATA_ANALYZER = "metadata"
"""The analyzer whose facts also fill the `metadata` table, where filters look."""

PEOPLE = frozenset({"face", "person"})
"""Kinds of regions whose labels are names of people."""

UNTAGGED = PEOPLE | {"text"}
"""Kinds of regions whose labels are no tags: names, and lines of text, which are found as the photo's text."""

_METADATA_COLUMNS = (
    "taken_at", "taken_offset_s", "camera_make", "camera_model", "lens", "iso", "aperture", "shutter_s",
    "focal_mm", "orientation", "rating", "lat", "lon", "altitude_m", "city", "region", "country", "country_code",
)  # fmt: skip
_FORGET = ("forget_facts", "forget_texts", "forget_tags", "forget_regions")


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit did. `dropped` outcomes were of an older revision than their photo is now, and not true of
    that, or would have taken over a finding that is not current any more. `owed`: how many jobs became owed,
    because what they read has changed."""

    counted: tuple[Outcome, ...]
    dropped: tuple[Outcome, ...]
    owed: int = 0


@dataclass(frozen=True, slots=True)
class _Revisions:
    """The newest revision of a photo, and the one in which its file itself changed last."""

    photo: int
    file: int

    def admits(self, revision: int, *, of_file_alone: bool) -> bool:
        """Whether what was found in `revision` is true of the photo as it is now."""
        return revision == self.photo or (of_file_alone and self.file <= revision < self.photo)


@dataclass(frozen=True, slots=True)
class _Found:
    """An outcome that counts and has a finding."""

    photo_id: int
    analyzer_id: int
    analyzer: str
    generation: int
    revision: int
    finding: StoredFinding
    route: str


def commit(
    connection: sqlite3.Connection, decoded: Sequence[Decoded], outcomes: Sequence[Outcome], now: float
) -> Committed:
    """Store a batch. Whatever is of an older revision than its photo is now is dropped; its job stays owed. But
    what is of the file alone counts as of the newest revision where only sidecars have changed since."""
    touched = {each.photo_id for each in decoded} | {each.photo_id for each in outcomes}
    photo_ids = json.dumps(sorted(touched))
    revisions = {id_: _Revisions(*row) for id_, *row in connection.execute(_SQL["revisions"], (photo_ids,))}
    counted: list[Outcome] = []
    dropped: list[Outcome] = []
    for each in outcomes:
        current = revisions.get(each.photo_id)
        if current is None or not current.admits(each.revision, of_file_alone=each.of_file_alone):
            dropped.append(each)
        else:
            counted.append(each if each.revision == current.photo else replace(each, revision=current.photo))
    counted, stale = split_stale(connection, _refuse_misfits(connection, counted))
    dropped += stale
    reports = [(each, revisions.get(each.photo_id)) for each in decoded]
    read = [each for each, now in reports if now and now.admits(each.revision, of_file_alone=True)]
    _update_photos(connection, read)
    describe_copies(connection, read)
    analyzers = {id_: (name, generation) for id_, name, generation in connection.execute(_SQL["generations"])}
    found = []
    for each in counted:
        if each.finding is not None:
            name, generation = analyzers[each.analyzer_id]
            found.append(
                _Found(
                    each.photo_id,
                    each.analyzer_id,
                    name,
                    generation,
                    each.revision,
                    each.finding,
                    each.route,
                )
            )
    copies = [each for each in counted if each.same is not None]
    owed = 0
    if found or copies:
        change_seq = next_change_seq(connection)
        _name_spaces(connection, found)
        generations = {id_: generation for id_, (_, generation) in analyzers.items()}
        replacing: list[_Found | Outcome] = [*found, *copies]
        _forget_old(connection, replacing, generations, photo_ids)
        _put(connection, found, now)
        copy_findings(connection, copies, generations, now)
        finished = [(each.photo_id, each.analyzer_id) for each in counted if each.found]
        connection.executemany(_SQL["touch_photo"], [(change_seq, id_) for id_ in {pair[0] for pair in finished}])
        owed = owe_readers(connection, finished, {(each.photo_id, each.analyzer_id) for each in counted})
        connection.executemany(_JOBS["finish"], finished)
    _fail(connection, [each for each in counted if not each.found], now)
    return Committed(tuple(counted), tuple(dropped), owed)


def read_findings(
    connection: sqlite3.Connection, photo_id: int, analyzers: Sequence[str]
) -> dict[str, StoredFinding]:
    """What `analyzers` said of one photo, by analyzer name, without vectors."""
    found = {}
    for name, analyzer_id, facts in connection.execute(
        _SQL["read_facts"], (photo_id, json.dumps(list(analyzers)))
    ):
        key = (photo_id, analyzer_id)
        found[name] = StoredFinding(
            facts=json.loads(facts),
            texts=[Text(*row) for row in connection.execute(_SQL["read_texts"], key)],
            tags=[Tag(*row) for row in connection.execute(_SQL["read_tags"], key)],
            regions=[
                Region(kind, tuple(box), label, score, tuple(map(tuple, json.loads(landmarks))), quality)
                for kind, label, score, *box, landmarks, quality in connection.execute(_SQL["read_regions"], key)
            ],
        )
    return found


def read_paths(connection: sqlite3.Connection, photo_ids: Sequence[int]) -> dict[int, bytes]:
    """Absolute paths by photo id; ids that are no more are left out."""
    rows = connection.execute(_SQL["paths"], (json.dumps(list(photo_ids)),))
    return {photo_id: os.path.join(root, folder, name) for photo_id, root, folder, name in rows}


def _refuse_misfits(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Failures in place of findings whose vectors are not as long as their space's: no index could hold both."""
    dimensions: dict[str, int] = dict(connection.execute(_SQL["spaces"]).fetchall())
    fitting = []
    for each in outcomes:
        for vector in each.finding.vectors if each.finding is not None else ():
            length = len(vector.data) // 2
            if dimensions.setdefault(vector.space, length) != length:
                reason = f"a vector of {length} numbers; space {vector.space} has {dimensions[vector.space]}"
                fitting.append(replace(each, finding=None, reason=reason))
                break
        else:
            fitting.append(each)
    return fitting


def _update_photos(connection: sqlite3.Connection, decoded: Sequence[Decoded]) -> None:
    """Sizes of 0 and the route `metadata` say that nothing was decoded: what is known stays."""
    connection.executemany(
        _SQL["update_photo"],
        [
            (
                each.report.fingerprint,
                each.report.format,
                each.report.width or None,
                each.report.height or None,
                None if each.report.route == "metadata" else each.report.route,
                each.report.damage,
                each.photo_id,
            )
            for each in decoded
        ],
    )


def _forget_old(
    connection: sqlite3.Connection,
    found: Sequence[_Found | Outcome],
    generations: Mapping[int, int],
    photo_ids: str,
) -> None:
    """Clear away what the findings replace.

    Vectors of the same file stay in a space that the analyzer fills no more: it serves until the one that took its
    place is complete.
    """
    existing = {row[:2]: row[2] for row in connection.execute(_SQL["existing"], (photo_ids,))}
    replaced = [each for each in found if (each.photo_id, each.analyzer_id) in existing]
    if not replaced:
        return
    pairs = [(each.photo_id, each.analyzer_id) for each in replaced]
    for statement in _FORGET:
        connection.executemany(_SQL[statement], pairs)
    is_same = [existing[pair] == each.revision for pair, each in zip(pairs, replaced, strict=True)]
    connection.executemany(
        _SQL["forget_vectors"], [pair for pair, same in zip(pairs, is_same, strict=True) if not same]
    )
    connection.executemany(
        _SQL["forget_current_vectors"],
        [
            {"photo": each.photo_id, "analyzer": each.analyzer_id, "generation": generations[each.analyzer_id]}
            for each, same in zip(replaced, is_same, strict=True)
            if same
        ],
    )


def _put(connection: sqlite3.Connection, found: Sequence[_Found], now: float) -> None:
    connection.executemany(
        _SQL["put_finding"],
        [
            (
                each.photo_id,
                each.analyzer_id,
                each.generation,
                each.revision,
                now,
                json.dumps(each.finding.facts),
                each.route,
            )
            for each in found
        ],
    )
    connection.executemany(_SQL["put_fact"], _rows(found, lambda f: f.filterable))
    connection.executemany(
        _SQL["put_text"], _rows(found, lambda f: [(n, t.kind, t.text) for n, t in enumerate(f.texts)])
    )
    labels = {label for each in found for _, label in _tags(each.finding)}
    connection.execute(_SQL["put_label"], (json.dumps(sorted(labels)),))
    connection.executemany(_SQL["put_tag"], _rows(found, _tags))
    connection.executemany(
        _SQL["put_region"],
        _rows(
            found,
            lambda f: [
                (n, each.kind, each.label, each.score, *each.box, json.dumps(each.landmarks), each.quality)
                for n, each in enumerate(f.regions)
            ],
        ),
    )
    _put_vectors(connection, found)
    connection.executemany(
        _SQL["put_metadata"],
        [
            (each.photo_id, *(each.finding.facts.get(column) for column in _METADATA_COLUMNS))
            for each in found
            if each.analyzer == METADATA_ANALYZER
        ],
    )


def _tags(finding: StoredFinding) -> list[tuple[float, str]]:
    """What the photo is tagged with: keywords and labelled objects, too, so that one index has them all."""
    return [
        *((tag.score, tag.label) for tag in finding.tags),
        *((1.0, text.text) for text in finding.texts if text.kind == "keyword"),
        *((each.score, each.label) for each in finding.regions if each.label and each.kind not in UNTAGGED),
    ]


def _name_spaces(connection: sqlite3.Connection, found: Sequence[_Found]) -> None:
    """Make known the spaces that the findings fill, and which generation of which analyzer fills them."""
    spaces = {vector.space: len(vector.data) // 2 for each in found for vector in each.finding.vectors}
    if not spaces:
        return
    connection.executemany(_SQL["put_space"], spaces.items())
    known = {(space, analyzer): generation for space, analyzer, generation in connection.execute(_SQL["sources"])}
    filled = {
        (vector.space, each.analyzer_id): each.generation for each in found for vector in each.finding.vectors
    }
    for (space, analyzer), generation in filled.items():
        before = known.get((space, analyzer))
        if before is None or before < generation:
            source = {"space": space, "analyzer": analyzer, "generation": generation}
            connection.execute(_SQL["put_source"], source)
            if before is not None:
                connection.execute(_SQL["forget_uncovered_vectors"], source)


def _put_vectors(connection: sqlite3.Connection, found: Sequence[_Found]) -> None:
    connection.executemany(
        _SQL["put_vector"],
        [
            (each.photo_id, each.analyzer_id, vector.region, each.generation, vector.data, vector.space)
            for each in found
            for vector in each.finding.vectors
        ],
    )


def _fail(connection: sqlite3.Connection, failures: Sequence[Outcome], now: float) -> None:
    connection.executemany(
        _JOBS["fail"],
        [(each.reason, each.photo_id, each.analyzer_id) for each in failures if each.retry_in_s is None],
    )
    connection.executemany(
        _JOBS["postpone"],
        [
            (now + each.retry_in_s, each.reason, each.photo_id, each.analyzer_id)
            for each in failures
            if each.retry_in_s is not None
        ],
    )


def _rows(
    found: Sequence[_Found], parts: Callable[[StoredFinding], Sequence[tuple[object, ...]]]
) -> Iterator[tuple[object, ...]]:
    for each in found:
        for part in parts(each.finding):
            yield (each.photo_id, each.analyzer_id, *part)
