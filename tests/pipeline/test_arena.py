from __future__ import annotations

import itertools
import os

import pytest

from imgd.pipeline.arena import MAX_PROCESSES, Arena, ArenaView


@pytest.fixture
def arena():
    arena = Arena([100, 50, 100], 1 << 20)
    yield arena
    arena.close()


@pytest.fixture
def view(arena):
    def view(index):
        return ArenaView(os.dup(arena.fd), arena.size_bytes, index)

    return view


def test_a_slot_holds_pixels_of_every_size_that_lanes_ask_for(arena):
    assert arena.slot_bytes >= 3 * (100 * 100 + 50 * 50)
    assert arena.slot_bytes % os.sysconf("SC_PAGE_SIZE") == 0
    assert arena.free_slots == (1 << 20) // arena.slot_bytes


def test_slots_lie_apart_and_inside_the_memory_and_are_used_again(arena):
    slots = [arena.lend() for _ in range(arena.free_slots)]
    assert arena.free_slots == 0
    ends = sorted(slots)
    assert all(after - before >= arena.slot_bytes for before, after in itertools.pairwise(ends))
    assert ends[-1] + arena.slot_bytes <= arena.size_bytes
    arena.take_back(slots[3])
    assert arena.lend() == slots[3]


def test_a_budget_too_small_still_gives_a_few_slots():
    arena = Arena([4000], 1)
    assert arena.free_slots == 8
    arena.close()


def test_without_lanes_there_are_no_slots():
    arena = Arena([], 1 << 30)
    assert (arena.slot_bytes, arena.free_slots) == (0, 0)
    arena.close()


def test_pages_that_were_never_written_take_no_memory():
    arena = Arena([2000], 1 << 30)
    assert os.fstat(arena.fd).st_blocks == 0
    arena.close()


def test_what_one_process_writes_another_sees(arena, view):
    offset = arena.lend()
    view(0).memory[offset : offset + 3] = b"rgb"
    assert view(1).memory[offset : offset + 3] == b"rgb"


def test_each_process_has_a_line_of_its_own(arena, view):
    view(0).write_line("decode")
    view(MAX_PROCESSES - 1).write_line("faces")
    assert arena.read_line(0) == "decode"
    assert arena.read_line(1) == ""
    assert arena.read_line(MAX_PROCESSES - 1) == "faces"
    arena.clear_line(0)
    assert arena.read_line(0) == ""


def test_a_line_is_cut_where_its_room_ends(arena, view):
    view(0).write_line("é" * 1000)
    view(1).write_line("short")
    assert arena.read_line(0).startswith("é" * 127)
    assert arena.read_line(1) == "short"
    view(0).write_line("less")
    assert arena.read_line(0) == "less"
