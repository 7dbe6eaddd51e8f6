"""Near-duplicates: one picture in other sizes, formats or with light edits."""

from __future__ import annotations

import numpy as np

from imgd.duplicates.near import list_near

HASH = 0x9F3A_51C6_0B7D_E248


def never() -> bool:
    return False


def flipped(bits: int) -> int:
    """HASH with so many bits turned, in different places for each number."""
    random = np.random.default_rng(bits)
    return HASH ^ sum(1 << int(bit) for bit in random.choice(64, bits, replace=False))


def direction(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(16).astype(np.float32)


def fill(shelf, count: int = 30) -> None:
    """Photos that have nothing in common with one another."""
    for seed in range(count):
        phash = int(np.random.default_rng(1000 + seed).integers(0, 1 << 63))
        shelf.add(f"other_{seed}.jpg", bytes([seed]), phash=phash, vector=direction(1000 + seed))


def test_a_smaller_copy_is_found_and_counts_as_saved(shelf, groups):
    fill(shelf)
    large = shelf.add("IMG_1.jpg", b"large" * 100, phash=HASH, vector=direction(1))
    small = shelf.add(
        "web.png", b"small", phash=flipped(6), vector=direction(1), size=(300, 200), image_format="png"
    )
    listing = list_near(shelf.database, never)
    assert groups(listing) == [{large, small}]
    assert listing.saved.tolist() == [5]


def test_hashes_that_differ_in_many_bits_are_not_alike(shelf, groups):
    shelf.add("a.jpg", b"a", phash=HASH)
    shelf.add("b.jpg", b"b", phash=flipped(9))
    assert groups(list_near(shelf.database, never)) == []


def test_what_the_vectors_tell_apart_is_not_alike(shelf, groups):
    fill(shelf)
    shelf.add("dog.jpg", b"dog", phash=HASH, vector=direction(1))
    shelf.add("cat.jpg", b"cat", phash=flipped(3), vector=-direction(1))
    assert groups(list_near(shelf.database, never)) == []


def test_without_vectors_the_hashes_must_be_nearer(shelf, groups):
    alike = {shelf.add("a.jpg", b"a", phash=HASH), shelf.add("b.jpg", b"b", phash=flipped(6))}
    shelf.add("c.jpg", b"c", phash=~HASH & (1 << 64) - 1)
    shelf.add("d.jpg", b"d", phash=(~HASH & (1 << 64) - 1) ^ 0xFE)
    assert groups(list_near(shelf.database, never)) == [alike]


def test_blank_photos_are_not_compared(shelf, groups):
    for name in ("cap.jpg", "night.jpg"):
        shelf.add(name, name.encode(), phash=1 << 63, contrast=0.001)
    assert groups(list_near(shelf.database, never)) == []


def test_an_upright_picture_is_not_one_that_lies(shelf, groups):
    shelf.add("a.jpg", b"a", phash=HASH, size=(600, 400))
    shelf.add("b.jpg", b"b", phash=HASH, size=(400, 600))
    assert groups(list_near(shelf.database, never)) == []


def test_identical_files_are_looked_at_once(shelf, groups):
    first = shelf.add("IMG_1.jpg", b"same", phash=HASH)
    shelf.add("again/IMG_1.jpg", b"same", phash=HASH)
    assert groups(list_near(shelf.database, never)) == []
    small = shelf.add("small.jpg", b"small", phash=HASH)
    assert groups(list_near(shelf.database, never)) == [{first, small}]


def test_shots_of_a_burst_are_not_near_duplicates_but_a_copy_of_one_is(shelf, groups):
    shots = [
        shelf.add(f"IMG_{n}.jpg", bytes([n]), phash=flipped(n), taken_at=f"2024-05-01T10:00:0{n}.000")
        for n in range(3)
    ]
    copy = shelf.add("web/IMG_2.jpg", b"small", phash=flipped(2), taken_at="2024-05-01T10:00:02.000")
    assert groups(list_near(shelf.database, never)) == [{shots[2], copy}]


def test_frames_of_one_second_with_one_hash_are_not_near_duplicates(shelf, groups):
    for n in range(5):
        shelf.add(f"DSC_{n:04}.jpg", bytes([n]), phash=HASH, taken_at="2024-05-01T10:00:00.000")
    assert groups(list_near(shelf.database, never)) == []


def test_a_raw_and_its_jpeg_are_not_near_duplicates(shelf, groups):
    shelf.add("IMG_1.CR2", b"raw", phash=HASH, image_format="raw")
    shelf.add("IMG_1.JPG", b"jpeg", phash=HASH)
    assert groups(list_near(shelf.database, never)) == []
    small = shelf.add("small.jpg", b"small", phash=HASH)
    (group,) = groups(list_near(shelf.database, never))
    assert small in group
    assert len(group) == 2


def test_missing_photos_and_those_of_an_offline_root_are_left_out(shelf, groups):
    kept = {shelf.add(f"{n}.jpg", bytes([n]), phash=HASH) for n in range(2)}
    shelf.lose(shelf.add("gone.jpg", b"gone", phash=HASH))
    assert groups(list_near(shelf.database, never)) == [kept]
    shelf.unplug()
    assert groups(list_near(shelf.database, never)) == []
