"""The analyzer on networks of the layout of SCRFD and ArcFace that the tests make: all of its code but dlib's runs
without a model that has to be fetched, and the right answer is known."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imgd_faces.analyzer import FaceAnalyzer
from imgd_faces.settings import FaceSettings

from imgd import DeviceUnusableError, Finding
from imgd.testing import check_analyzer, make_photo

SETTINGS = FaceSettings(threads=2)
CELL_PX = 32
Make = Callable[..., bytes]


def look(dirs: Mapping[str, Path], pixels: np.ndarray, settings: FaceSettings = SETTINGS) -> Finding:
    declaration = FaceAnalyzer.configured(settings)
    analyzer = declaration(settings, dirs)
    analyzer.load("cpu")
    try:
        (finding,) = analyzer.analyze([make_photo(declaration, pixels)])
    finally:
        analyzer.close()
    assert isinstance(finding, Finding)
    return finding


def photo_with_faces(width: int, height: int, *cells: tuple[int, int]) -> np.ndarray:
    """Dark, of `width` x `height`, whose longest edge is 1280, with white squares in cells (column, row) of the
    detector's largest stride: 64 pixels here, where photos are looked at with half that edge."""
    pixels = np.random.default_rng(9).integers(0, 40, (height, width, 3), dtype=np.uint8)
    step = CELL_PX * max(width, height) // 640
    for column, row in cells:
        pixels[row * step : (row + 1) * step, column * step : (column + 1) * step] = 255
    return pixels


def test_it_keeps_the_contract(small_dirs: Mapping[str, Path]) -> None:
    declaration = FaceAnalyzer.configured(SETTINGS)
    photos = {
        "two faces": make_photo(declaration, photo_with_faces(1280, 960, (3, 5), (14, 9))),
        "no face": make_photo(declaration, photo_with_faces(1280, 960)),
    }
    outcomes = check_analyzer(FaceAnalyzer, settings=SETTINGS, model_dirs=small_dirs, photos=photos)
    assert outcomes["two faces"].facts == {"faces": 2}  # type: ignore[union-attr]
    assert outcomes["no face"].facts == {"faces": 0}  # type: ignore[union-attr]
    assert outcomes["a photo of one pixel"].regions == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("width", "height", "cell"), [(1280, 960, (3, 5)), (960, 1280, (2, 17)), (1280, 192, (11, 1))]
)
def test_a_planted_face_comes_out_where_it_is(
    small_dirs: Mapping[str, Path], width: int, height: int, cell: tuple[int, int]
) -> None:
    finding = look(small_dirs, photo_with_faces(width, height, cell))
    (region,) = finding.regions
    (vector,) = finding.vectors
    left, top = cell[0] * 64 / width, cell[1] * 64 / height
    across, down = 64 / width, 64 / height
    assert region.kind == "face"
    assert region.box == pytest.approx((left, top, across, down), abs=3e-3)
    assert region.score > 0.95
    assert region.quality is not None
    assert 0 < region.quality <= 1
    shares = [(0.25, 0.25), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75), (0.75, 0.75)]
    expected = [(left + x * across, top + y * down) for x, y in shares]
    np.testing.assert_allclose(region.landmarks, expected, atol=3e-3)
    assert (vector.space, vector.region) == ("face:w600k_mbf", 0)
    assert vector.values.shape == (512,)
    assert np.linalg.norm(vector.values) == pytest.approx(1, abs=1e-5)
    assert finding.facts == {"faces": 1}


def test_each_vector_names_its_face_and_the_surest_comes_first(small_dirs: Mapping[str, Path]) -> None:
    pixels = photo_with_faces(1280, 960, (3, 5), (14, 9), (9, 2))
    pixels[5 * 64 : 6 * 64, 3 * 64 : 4 * 64] -= 60
    finding = look(small_dirs, pixels)
    scores = [region.score for region in finding.regions]
    assert scores == sorted(scores, reverse=True)
    assert [vector.region for vector in finding.vectors] == [0, 1, 2]
    assert finding.regions[2].box[0] == pytest.approx(3 * 64 / 1280, abs=3e-3)


def test_settings_decide_what_counts_as_a_face(small_dirs: Mapping[str, Path]) -> None:
    pixels = photo_with_faces(1280, 960, (3, 5))
    pixels[9 * 64 : 10 * 64, 14 * 64 : 15 * 64] = 190
    assert len(look(small_dirs, pixels).regions) == 2
    assert len(look(small_dirs, pixels, replace(SETTINGS, detection_threshold=0.9)).regions) == 1
    assert len(look(small_dirs, pixels, replace(SETTINGS, min_face=0.045)).regions) == 2
    assert look(small_dirs, pixels, replace(SETTINGS, min_face=0.055)).regions == []


def test_a_face_at_the_border_stays_inside_the_photo(small_dirs: Mapping[str, Path]) -> None:
    pixels = photo_with_faces(1280, 930, (19, 14))
    (region,) = look(small_dirs, pixels).regions
    left, top, across, down = region.box
    assert left + across <= 1 + 1e-6
    assert top + down <= 1 + 1e-6
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in region.landmarks)


@pytest.mark.parametrize(
    ("columns", "dimensions", "reason"),
    [((1, 4, 8), 512, "no SCRFD with landmarks"), ((1, 4, 10), 128, "no ArcFace of 512 numbers")],
)
def test_networks_of_another_kind_are_refused_when_loaded(
    make_detector: Make,
    make_embedder: Make,
    tmp_path: Path,
    columns: tuple[int, int, int],
    dimensions: int,
    reason: str,
) -> None:
    (tmp_path / "scrfd_500m_bnkps.onnx").write_bytes(make_detector(columns))
    (tmp_path / "w600k_mbf.onnx").write_bytes(make_embedder(dimensions))
    analyzer = FaceAnalyzer(SETTINGS, {"scrfd-500m-mbf": tmp_path})
    with pytest.raises(ValueError, match=reason):
        analyzer.load("cpu")


def test_it_says_what_really_runs_it(small_dirs: Mapping[str, Path]) -> None:
    analyzer = FaceAnalyzer(SETTINGS, small_dirs)
    analyzer.load("cpu")
    analyzer.close()
    assert analyzer.runtime == "onnxruntime CPUExecutionProvider"


def test_a_device_that_onnxruntime_cannot_use_is_refused_with_what_to_install(
    small_dirs: Mapping[str, Path],
) -> None:
    analyzer = FaceAnalyzer(SETTINGS, small_dirs)
    # No machine has so many.
    with pytest.raises(DeviceUnusableError, match=r"cannot use cuda:99 here: .+ onnxruntime-gpu"):
        analyzer.load("cuda:99")
