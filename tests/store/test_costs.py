"""What photos took, as it is kept."""

from __future__ import annotations

import pytest

from imgd.store.analyzers import AnalyzerDeclaration, synchronise
from imgd.store.costs import DECODE_FILE, Measured, put_costs, read_costs


def costs(library):
    with library.database.read() as connection:
        return read_costs(connection)


def put(library, *measured):
    library.write(lambda c: put_costs(c, measured))


def test_what_was_measured_adds_up_by_task(library):
    put(library, Measured("metadata", "", 10, 1.0), Measured(DECODE_FILE, "", 10, 5.0))
    put(library, Measured("metadata", "", 30, 5.0))
    assert costs(library)["metadata"].per_photo_s == pytest.approx(0.15)
    assert costs(library)[DECODE_FILE] == Measured(DECODE_FILE, "", 10, 5.0)


def test_older_photos_count_for_less(library):
    put(library, Measured("metadata", "", 1_000_000, 1_000_000.0))
    put(library, Measured("metadata", "", 2_000, 0.0))
    assert costs(library)["metadata"].per_photo_s == pytest.approx(0.5)


def test_another_device_is_measured_anew(library):
    put(library, Measured("metadata", "cpu", 100, 100.0))
    put(library, Measured("metadata", "cuda:0", 10, 1.0))
    assert costs(library)["metadata"] == Measured("metadata", "cuda:0", 10, 1.0)


def test_what_an_earlier_version_took_is_told_as_such_until_the_new_one_is_measured(library):
    put(library, Measured("metadata", "", 100, 100.0))
    assert not costs(library)["metadata"].outdated
    library.write(
        lambda c: synchronise(
            c, [AnalyzerDeclaration("metadata", "2", ""), AnalyzerDeclaration("technical", "1", "")]
        )
    )
    assert costs(library)["metadata"].outdated
    put(library, Measured("metadata", "", 10, 1.0))
    assert costs(library)["metadata"] == Measured("metadata", "", 10, 1.0)
