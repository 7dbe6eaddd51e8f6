"""Bursts: shots of one camera in quick succession."""

from __future__ import annotations

from imgd.duplicates.bursts import count_shots, list_bursts


def never() -> bool:
    return False


def test_shots_of_one_camera_a_second_apart_are_a_burst(shelf, groups):
    burst = {shelf.add(f"IMG_{n}.jpg", bytes([n]), taken_at=f"2024-05-01T10:00:0{n}.000") for n in range(4)}
    shelf.add("IMG_9.jpg", b"later", taken_at="2024-05-01T10:00:09.000")
    assert groups(list_bursts(shelf.database, never)) == [burst]


def test_another_camera_shoots_another_burst(shelf, groups):
    first, second = (
        {shelf.add(f"{camera}_{n}.jpg", taken_at=f"2024-05-01T10:00:0{n}.000", camera=camera) for n in range(2)}
        for camera in ("one", "other")
    )
    assert groups(list_bursts(shelf.database, never)) == [first, second]


def test_frames_of_one_second_are_told_by_their_numbers(shelf, groups):
    burst = {shelf.add(f"DSC_010{n}.jpg", bytes([n]), taken_at="2024-05-01T10:00:00.000") for n in range(3)}
    assert groups(list_bursts(shelf.database, never)) == [burst]


def test_copies_of_one_shot_and_a_raw_with_its_jpeg_are_no_burst(shelf, groups):
    taken_at = "2024-05-01T10:00:00.000"
    for name in ("IMG_1.jpg", "IMG_1 (1).jpg", "small/IMG_1.jpg", "IMG_1_edited.jpg"):
        shelf.add(name, name.encode(), taken_at=taken_at)
    shelf.add("IMG_1.cr2", b"raw", image_format="raw", taken_at=taken_at)
    assert groups(list_bursts(shelf.database, never)) == []


def test_frames_with_fractions_of_a_second_need_no_numbers():
    assert count_shots([("a", "2024-05-01T10:00:00.120"), ("b", "2024-05-01T10:00:00.320")]) == 2
    assert count_shots([("IMG_1", "2024-05-01T10:00:00.120"), ("IMG_2", "2024-05-01T10:00:00.120")]) == 1


def test_a_long_exposure_does_not_end_a_burst(shelf, groups):
    bracket = {
        shelf.add(f"IMG_{n}.jpg", bytes([n]), taken_at=f"2024-05-01T22:00:{n * 9:02}.000", shutter_s=8.0)
        for n in range(3)
    }
    assert groups(list_bursts(shelf.database, never)) == [bracket]


def test_photos_with_a_date_and_no_time_are_no_burst(shelf, groups):
    for n in range(3):
        shelf.add(f"scan_{n}.jpg", bytes([n]), taken_at="1985-01-01T00:00:00.000")
    assert groups(list_bursts(shelf.database, never)) == []


def test_missing_frames_are_left_out(shelf, groups):
    shots = [shelf.add(f"IMG_{n}.jpg", bytes([n]), taken_at=f"2024-05-01T10:00:0{n}.000") for n in range(3)]
    shelf.lose(shots[1])
    assert groups(list_bursts(shelf.database, never)) == [{shots[0], shots[2]}]
