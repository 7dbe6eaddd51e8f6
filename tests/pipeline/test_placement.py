"""Analyzers are placed by the memory that they declare."""

from __future__ import annotations

import asyncio
import dataclasses

from pipeline_library import Library, analyze_all, write_photo

from imgd.pipeline.placement import place


def test_where_all_fit_every_device_hosts_all() -> None:
    placed = place({"a": 100, "b": 200}, {"cuda:0": 1000, "cuda:1": 400})
    assert placed.hosted == {"cuda:0": ("a", "b"), "cuda:1": ("a", "b")}
    assert placed.homeless == {}


def test_the_largest_goes_first_so_that_each_finds_a_place() -> None:
    placed = place({"small": 300, "large": 900, "middle": 600}, {"cuda:0": 1000, "cuda:1": 950})
    assert placed.hosted == {"cuda:0": ("large",), "cuda:1": ("small", "middle")}
    assert placed.homeless == {}


def test_copies_take_only_what_is_left_once_each_has_a_place() -> None:
    placed = place({"a": 600, "b": 500}, {"cuda:0": 1000, "cuda:1": 1000})
    assert placed.hosted == {"cuda:0": ("a",), "cuda:1": ("b",)}


def test_one_that_fits_nowhere_is_told_with_what_there_is_and_the_others_are_placed() -> None:
    placed = place({"small": 300, "huge": 9000}, {"cuda:0": 4000, "cpu": 2000})
    assert placed.hosted == {"cuda:0": ("small",), "cpu": ("small",)}
    assert set(placed.homeless) == {"huge"}
    assert "needs 9,000 MB, and cuda:0 has 4,000 MB, cpu has 2,000 MB;" in placed.homeless["huge"]
    assert "lanes.memory_mb" in placed.homeless["huge"]


def test_a_device_whose_memory_nobody_knows_takes_all() -> None:
    assert place({"huge": 90000}, {"cuda:0": None}).hosted == {"cuda:0": ("huge",)}


def test_without_models_there_is_nothing_to_place() -> None:
    assert place({}, {}).hosted == {}


def test_one_that_fits_nowhere_is_broken_with_its_reason_and_the_others_run(library: Library) -> None:
    from toy_models import Giant, Measured

    active = library.activate(Giant, Measured)
    library.register(*(write_photo(library.root / f"{number}.jpg") for number in range(4)))
    heard = asyncio.run(analyze_all(library, active))
    assert set(heard.broke) == {"giant"}
    assert "needs 1,000,000,000 MB" in heard.broke["giant"]
    assert len(library.findings("measured")) == 4
    assert library.owed() == 4


def test_what_does_not_load_on_one_device_runs_on_another_one(library: Library) -> None:
    from toy_models import CpuOnly

    active = library.activate(CpuOnly)
    library.register(*(write_photo(library.root / f"{number}.jpg") for number in range(12)))
    devices = dataclasses.replace(library.settings.lanes, devices=("cuda:0", "cpu"))
    library.settings = dataclasses.replace(library.settings, lanes=devices)
    heard = asyncio.run(analyze_all(library, active))
    assert heard.broke == {}
    assert len(library.findings("cpuonly")) == 12
    assert library.owed() == 0
