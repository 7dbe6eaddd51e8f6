"""Moments out of EXIF, XMP, IPTC and file names."""

from __future__ import annotations

import pytest

from imgd.metadata import dates
from imgd.metadata.dates import Moment


def test_an_exif_date_keeps_its_fraction_and_offset() -> None:
    assert dates.from_exif("2019:03:04 10:11:12", "5", "+02:00") == Moment("2019-03-04T10:11:12.500", 7200)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2019:13:04 10:11:12",
        "2019:02:30 00:00:00",
        "1700:01:01 00:00:00",
        "9999:01:01 00:00:00",
        "yesterday",
    ],
)
def test_an_impossible_exif_date_is_absent(text: str | None) -> None:
    assert dates.from_exif(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-03-24T13:07:29+01:00", Moment("2021-03-24T13:07:29.000", 3600)),
        ("2015-12-29T11:26:53.199", Moment("2015-12-29T11:26:53.199")),
        ("2015-12-29T11:26Z", Moment("2015-12-29T11:26:00.000", 0)),
        ("2014-05", Moment("2014-05-01T00:00:00.000")),
        ("2014", Moment("2014-01-01T00:00:00.000")),
        ("2024:04:28T18:55:35-02:30", Moment("2024-04-28T18:55:35.000", -9000)),
        ("2024-99-99", None),
        ("soon", None),
    ],
)
def test_an_xmp_date_is_read_to_the_precision_it_has(text: str, expected: Moment | None) -> None:
    assert dates.from_xmp(text) == expected


def test_an_iptc_date_and_time_make_one_moment() -> None:
    assert dates.from_iptc("20030831", "101112+0200") == Moment("2003-08-31T10:11:12.000", 7200)
    assert dates.from_iptc("20030831", None) == Moment("2003-08-31T00:00:00.000")
    assert dates.from_iptc("00000000", None) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20190304_101112.jpg", "2019-03-04T10:11:12.000"),
        ("2019-03-04 10.11.12.jpg", "2019-03-04T10:11:12.000"),
        ("PXL_20210102_030405678.jpg", "2021-01-02T03:04:05.678"),
        ("Screenshot 2022-05-06 at 07.08.09.png", "2022-05-06T07:08:09.000"),
        ("IMG-20190304-WA0001.jpg", "2019-03-04T00:00:00.000"),
        ("20190304.jpg", "2019-03-04T00:00:00.000"),
    ],
)
def test_a_file_name_that_tells_its_date_is_understood(name: str, expected: str) -> None:
    assert dates.from_file_name(name) == Moment(expected)


@pytest.mark.parametrize(
    "name", ["DSC_0042.JPG", "IMG_20191304_101112.jpg", "123201903045.jpg", "99999999.jpg", ""]
)
def test_a_number_in_a_file_name_is_not_taken_for_a_date(name: str) -> None:
    assert dates.from_file_name(name) is None


def test_gps_time_tells_the_zone_of_a_wall_time() -> None:
    assert dates.offset_from_gps("2019-03-04T10:11:12.000", "2019-03-04T08:10:30.000") == 7200
    assert dates.offset_from_gps("2019-03-04T10:11:12.000", "2019-03-04T04:41:12.000") == 19800
    assert dates.offset_from_gps("2019-03-04T10:11:12.000", "2019-03-04T08:04:00.000") is None
    assert dates.offset_from_gps("2019-03-04T10:11:12.000", "2019-02-01T08:11:12.000") is None


@pytest.mark.parametrize(
    ("text", "seconds"), [("+02:00", 7200), ("-0530", -19800), ("Z", 0), ("+99:00", None), ("", None)]
)
def test_an_offset_is_read_in_its_usual_forms(text: str, seconds: int | None) -> None:
    assert dates.offset_seconds(text) == seconds
