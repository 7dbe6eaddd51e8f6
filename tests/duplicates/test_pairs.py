"""RAW+JPEG pairs."""

from __future__ import annotations

from imgd.duplicates.pairs import list_pairs


def never() -> bool:
    return False


def test_a_raw_and_a_jpeg_of_one_folder_and_stem_are_a_pair(shelf, groups):
    pair = {shelf.add("IMG_1.CR2", b"raw", image_format="raw"), shelf.add("IMG_1.JPG", b"jpeg")}
    shelf.add("IMG_10.JPG", b"another")
    shelf.add("IMG_1.CR2.JPG", b"a name with two dots")
    assert groups(list_pairs(shelf.database, never)) == [pair]


def test_a_raw_and_a_heic_of_one_stem_and_time_are_a_pair_across_folders(shelf, groups):
    taken_at = "2024-05-01T10:00:00.000"
    pair = {
        shelf.add("raw/IMG_1.CR3", b"raw", image_format="raw", taken_at=taken_at),
        shelf.add("heic/IMG_1.HIF", b"heic", image_format="heic", taken_at=taken_at),
    }
    shelf.add("old/IMG_1.JPG", b"a counter that began anew", taken_at="2019-01-01T10:00:00.000")
    shelf.add("other/IMG_1.JPG", b"another camera", taken_at=taken_at, camera="iPhone")
    assert groups(list_pairs(shelf.database, never)) == [pair]


def test_two_raws_of_one_jpeg_are_one_group(shelf, groups):
    group = {
        shelf.add("IMG_1.CR2", b"raw", image_format="raw"),
        shelf.add("IMG_1.DNG", b"converted", image_format="raw"),
        shelf.add("IMG_1.JPG", b"jpeg"),
    }
    assert groups(list_pairs(shelf.database, never)) == [group]


def test_a_pair_of_which_one_is_missing_is_none(shelf, groups):
    shelf.add("IMG_1.CR2", b"raw", image_format="raw")
    shelf.lose(shelf.add("IMG_1.JPG", b"jpeg"))
    assert groups(list_pairs(shelf.database, never)) == []
