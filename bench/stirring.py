"""What goes on in a library while it is searched: photos come in, sidecars change, looks are replaced."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from library import Library, make_old
from looks import SPACE, photo_vectors
from photos import make_photo, make_sidecar
from rows import LOOKS
from world import CLUSTERS

from imgd.domain import Outcome, StoredFinding, StoredVector
from imgd.store.analyzers import read_analyzers
from imgd.store.database import Database
from imgd.store.findings import commit, read_findings
from imgd.store.migrate import migrations

KEYWORD = "zebulon"
"""A word that no made library has."""
_BATCH = 256
_DISTINCT = 60


def make_small_photos(folder: Path, count: int) -> Path:
    """`count` files of a real photo's making, of 60 different pictures, all old enough to be settled."""
    folder.mkdir(parents=True)
    patterns = [
        make_photo(folder / f"{number:05}.jpg", number, (640, 480)) for number in range(min(_DISTINCT, count))
    ]
    for number in range(len(patterns), count):
        shutil.copyfile(patterns[number % len(patterns)], folder / f"{number:05}.jpg")
    make_old(folder)
    return folder


def write_sidecars(folder: Path, count: int) -> None:
    """A sidecar for `count` photos of `folder`, each with the same new keyword."""
    for photo in sorted(folder.glob("*.jpg"))[:count]:
        make_sidecar(photo.with_suffix(".xmp"), KEYWORD)


def tagged_photos(owned: Library) -> int:
    """How many photos have the sidecars' keyword in the library, searchable or not."""
    rows = owned.rows("SELECT count(*) FROM tags JOIN labels ON labels.id = label_id WHERE label = ?", KEYWORD)
    return int(rows[0][0])


def replace_looks(owned: Library, count: int) -> float:
    """Commit new vectors for the first `count` photos, as a better model would; returns the seconds of the longest
    commit."""
    database = Database(owned.database, migrations())
    random = np.random.default_rng(23)
    longest_s = 0.0
    try:
        with database.read() as connection:
            analyzer = next(each.id for each in read_analyzers(connection) if each.name == LOOKS)
        for start in range(1, count + 1, _BATCH):
            outcomes = list(_new_looks(database, random, analyzer, range(start, min(start + _BATCH, count + 1))))
            began = time.perf_counter()
            database.write(lambda c, batch=outcomes: commit(c, [], batch, time.time())).result()  # type: ignore[misc]
            longest_s = max(longest_s, time.perf_counter() - began)
    finally:
        database.close()
    return longest_s


def _new_looks(
    database: Database, random: np.random.Generator, analyzer: int, photo_ids: range
) -> Iterator[Outcome]:
    vectors = photo_vectors(random.integers(0, CLUSTERS, len(photo_ids)), random).astype(np.float16)
    with database.read() as connection:
        for photo_id, vector in zip(photo_ids, vectors, strict=True):
            tags = read_findings(connection, photo_id, [LOOKS])[LOOKS].tags
            finding = StoredFinding(tags=tags, vectors=[StoredVector(SPACE, vector.tobytes())])
            yield Outcome(photo_id, analyzer, 1, finding)
