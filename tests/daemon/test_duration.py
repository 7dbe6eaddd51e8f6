"""How long analysis takes by what it was measured to cost."""

from __future__ import annotations

import pytest

from imgd.daemon.duration import Task, estimate
from imgd.store.costs import DECODE_FILE, DECODE_HEADER, DECODE_PREVIEW, Measured

COSTS = {
    each.task: each
    for each in (
        Measured("sharp", "", 10, 1.0),
        Measured("dates", "", 10, 0.1),
        Measured("looks", "cpu", 10, 5.0),
        Measured("faces", "cpu", 10, 2.0),
        Measured(DECODE_FILE, "", 10, 10.0),
        Measured(DECODE_PREVIEW, "", 10, 0.5),
        Measured(DECODE_HEADER, "", 10, 0.2),
    )
}


def sharp(photos: int = 100, previews: int = 0) -> Task:
    return Task("sharp", photos, previews, 512)


def looks(photos: int = 100, previews: int = 0, *lanes: str) -> Task:
    return Task("looks", photos, previews, 280, lanes or ("cpu",))


def seconds(*tasks: Task, workers: int = 1) -> float:
    return estimate(tasks, COSTS, workers).seconds


def test_workers_share_decoding_and_inline_analyzers() -> None:
    assert seconds(sharp()) == pytest.approx(100 * (1.0 + 0.1))
    assert seconds(sharp(), workers=4) == pytest.approx(100 * (1.0 + 0.1) / 4)


def test_photos_from_previews_cost_what_previews_cost() -> None:
    assert seconds(sharp(100, 90)) == pytest.approx(100 * 0.1 + 10 * 1.0 + 90 * 0.05)


def test_a_photo_is_decoded_once_for_all_of_its_analyzers() -> None:
    assert seconds(sharp(), looks()) == pytest.approx(100 * (1.0 + 0.1))


def test_lanes_work_beside_the_workers_and_the_slowest_decides() -> None:
    assert seconds(sharp(), looks(), workers=10) == pytest.approx(100 * 0.5)
    faces = Task("faces", 100, 0, 280, ("cpu",))
    assert seconds(looks(), faces, workers=100) == pytest.approx(100 * 0.7)
    assert seconds(looks(100, 0, "cuda:0", "cuda:1"), workers=100) == pytest.approx(100 * 0.25)


def test_a_file_that_is_opened_for_its_header_is_decoded_from_there() -> None:
    dates = Task("dates", 100, 0, 0, needs_file=True)
    assert seconds(dates) == pytest.approx(100 * (0.01 + 0.02))
    assert seconds(dates, sharp(100, 100)) == pytest.approx(100 * (0.01 + 0.1 + 1.0))
    assert seconds(dates, sharp(40, 40)) == pytest.approx(100 * 0.01 + 40 * (0.1 + 1.0) + 60 * 0.02)


def test_what_works_on_findings_alone_costs_no_decoding() -> None:
    assert seconds(Task("looks", 100, 0, 0, ("cpu",))) == pytest.approx(100 * 0.5)


def test_what_was_never_measured_is_named_and_not_guessed() -> None:
    known = estimate([sharp(), Task("new", 7, 0, 280, ("cpu",))], COSTS, 1)
    assert known.unmeasured == ("new",)
    assert known.seconds == pytest.approx(100 * (1.0 + 0.1))
    assert estimate([sharp()], {}, 1).unmeasured == ("sharp", "decoding")


def test_previews_that_were_never_measured_count_as_files() -> None:
    costs = {name: each for name, each in COSTS.items() if name != DECODE_PREVIEW}
    assert estimate([sharp(100, 100)], costs, 1).seconds == pytest.approx(100 * (0.1 + 1.0))


def test_nothing_to_do_takes_no_time() -> None:
    assert estimate([], COSTS, 2).seconds == 0.0
