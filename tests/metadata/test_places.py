"""Place names from the offline gazetteer."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgd.metadata.gazetteer import find_place
from imgd.metadata.places import CACHE_SIZE, PlaceFinder


@pytest.fixture(scope="module")
def places() -> PlaceFinder:
    return PlaceFinder()


@pytest.mark.parametrize(
    ("lat", "lon", "city", "country"),
    [
        (38.7223, -9.1393, "Lisbon", "Portugal"),
        (48.8584, 2.2945, "Paris", "France"),
        (-33.8568, 151.2153, "Sydney", "Australia"),
        (52.5163, 13.3777, "Berlin", "Germany"),
    ],
)
def test_a_point_in_a_city_is_named_after_the_city(
    places: PlaceFinder, lat: float, lon: float, city: str, country: str
) -> None:
    found = places.find(lat, lon)
    assert found is not None
    assert (found.city, found.country) == (city, country)


def test_a_point_in_a_small_town_keeps_the_towns_name(places: PlaceFinder) -> None:
    found = places.find(43.4674, 11.8851)
    assert found is not None
    assert found.city == "Arezzo"
    assert found.region == "Tuscany"
    assert found.country_code == "IT"
    assert found.distance_km < 3


@pytest.mark.parametrize(
    ("lat", "lon"), [(0.0, 0.0), (40.0, -40.0), (-60.0, 100.0), (89.9, 0.0), (-77.85, 166.67)]
)
def test_nothing_is_named_where_nothing_is_near(places: PlaceFinder, lat: float, lon: float) -> None:
    assert places.find(lat, lon) is None


@pytest.mark.parametrize(("lat", "lon"), [(91.0, 0.0), (0.0, 181.0), (float("nan"), 0.0), (float("inf"), 0.0)])
def test_an_impossible_coordinate_has_no_place(places: PlaceFinder, lat: float, lon: float) -> None:
    assert places.find(lat, lon) is None


def test_distance_is_measured_across_the_date_line() -> None:
    far = PlaceFinder(max_distance_km=200)
    east, west = far.find(-16.5, -179.99), far.find(-16.5, 179.99)
    assert east is not None
    assert west is not None
    assert east.city == west.city == "Labasa"
    assert 0 < east.distance_km - west.distance_km < 5


def test_many_coordinates_are_answered_in_order(places: PlaceFinder) -> None:
    found = places.find_all(
        [(38.7223, -9.1393), (0.0, 0.0), (float("nan"), 1.0), (48.8584, 2.2945), (38.7223, -9.1393)]
    )
    assert [place and place.city for place in found] == ["Lisbon", None, None, "Paris", "Lisbon"]


def test_remembered_answers_are_bounded(places: PlaceFinder) -> None:
    places.find_all([(index / 1000, 10.0) for index in range(CACHE_SIZE + 500)])
    assert places.find(0.001, 10.0) == places.find_all([(0.001, 10.0)])[0]
    assert len(places._remembered) <= CACHE_SIZE


def test_what_was_made_of_the_data_is_kept_and_says_the_same(places: PlaceFinder, tmp_path: Path) -> None:
    spots = [(38.7223, -9.1393), (0.0, 0.0), (43.4674, 11.8851), (-16.5, 179.99), (61.2, -149.9), (35.68, 139.77)]
    expected = places.find_all(spots)
    assert PlaceFinder(cache=tmp_path / "places").find_all(spots) == expected
    (kept,) = (tmp_path / "places").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    before = kept.read_bytes()
    assert PlaceFinder(cache=tmp_path / "places").find_all(spots) == expected
    assert kept.stat().st_size == len(before)
    for harm in (b"", before[: len(before) // 2], before[:2000] + bytes(2000) + before[4000:]):
        kept.write_bytes(harm)
        assert PlaceFinder(cache=tmp_path / "places").find_all(spots) == expected
        assert kept.read_bytes() == before


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(places: PlaceFinder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = PlaceFinder(cache=tmp_path / "file" / "below").find(38.7223, -9.1393)
    assert found == places.find(38.7223, -9.1393)


def test_a_shorter_reach_finds_less() -> None:
    assert PlaceFinder(max_distance_km=0.001).find(43.5, 11.9) is None


@pytest.mark.parametrize(
    ("name", "lat", "lon"),
    [
        ("lisbon", 38.72, -9.13),
        ("SAO PAULO", -23.55, -46.64),  # São Paulo
        ("Paris", 48.85, 2.35),  # the largest of several
        ("new york", 40.71, -74.01),  # New York City
        ("Wetzlar", 50.56, 8.50),
    ],
)
def test_a_place_is_found_by_its_name(name: str, lat: float, lon: float) -> None:
    assert find_place(name) == pytest.approx((lat, lon), abs=0.01)


@pytest.mark.parametrize("name", ["nowhereville", "", ".*", "lisb", "\n"])
def test_no_place_is_found_by_another_name(name: str) -> None:
    assert find_place(name) is None
