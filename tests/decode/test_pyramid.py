from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imgd.decode import exact_size, pyramid
from imgd.decode.pyramid import resize
from imgd.domain import Picture

SIDES = st.integers(1, 40_000)


@given(SIDES, SIDES, st.integers(1, 10_000))
def test_the_longest_edge_is_exact_and_never_scaled_up(width: int, height: int, edge: int) -> None:
    size = exact_size(width, height, edge)
    assert max(size) == min(edge, max(width, height))
    assert min(size) >= 1
    if max(width, height) > edge:
        assert abs(size[0] * height - size[1] * width) <= max(width, height) or 1 in size


@given(SIDES, SIDES, st.integers(1, 10_000))
def test_a_turned_photo_has_the_turned_size(width: int, height: int, edge: int) -> None:
    assert exact_size(height, width, edge) == exact_size(width, height, edge)[::-1]


def _picture(height: int, width: int, full: tuple[int, int] | None = None) -> Picture:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Picture(pixels, *(full or (width, height)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 700), (801, 1200), (1333, 999)])
def test_levels_are_exact_contiguous_and_read_only(height: int, width: int) -> None:
    picture = _picture(height, width)
    for edge, pixels in pyramid(picture, [1200, 512, 224, 32]).items():
        expected = exact_size(width, height, edge)
        assert pixels.shape == (expected[1], expected[0], 3)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        assert not pixels.flags.writeable


def test_a_size_does_not_depend_on_what_else_is_asked_for() -> None:
    picture = _picture(1001, 1500, full=(6001, 4003))
    together = pyramid(picture, [1200, 777, 512, 300])
    for edge, pixels in together.items():
        assert pyramid(picture, [edge])[edge].shape == pixels.shape


def test_a_level_is_the_mean_of_what_it_covers() -> None:
    ramp = np.repeat(np.linspace(0, 255, 1024).astype(np.uint8)[None, :, None], 512, axis=0).repeat(3, axis=2)
    level = pyramid(Picture(ramp, 1024, 512), [1024, 256])[256]
    expected = ramp.reshape(256, 2, 256, 4, 3).mean(axis=(1, 3))
    assert np.abs(level[:, 4:-4] - expected[::2][:128, 4:-4]).max() <= 1.5


@pytest.mark.parametrize("larger", [1.05, 1.5, 1.99, 2, 2.05, 2.4, 2.6, 2.9, 3, 3.1, 4.2, 5, 5.1, 9.4])
def test_each_ratio_gives_what_a_careful_filter_gives(larger: float) -> None:
    metrics, data = pytest.importorskip("skimage.metrics"), pytest.importorskip("skimage.data")
    cat = Image.fromarray(data.chelsea()).convert("L")
    size = (96, 64)
    image = cat.resize((round(96 * larger), round(64 * larger)), Image.Resampling.LANCZOS)
    reference = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    assert metrics.structural_similarity(np.asarray(resize(image, size)), reference) >= 0.975


def test_too_few_pixels_are_refused_rather_than_scaled_up() -> None:
    with pytest.raises(ValueError, match="600 x 400 pixels cannot give 1200 x 800"):
        pyramid(_picture(400, 600, full=(6000, 4000)), [1200])
    with pytest.raises(ValueError, match="without pixels"):
        pyramid(Picture(None, 10, 10), [5])
