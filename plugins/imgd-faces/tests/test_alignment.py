import cv2
import numpy as np
import pytest
from imgd_faces.alignment import CROP_PX, TEMPLATE, aligned, similarity

TURNS = [(1.0, 0.0, (0, 0)), (0.31, 25.0, (12, -40)), (4.2, -130.0, (900, 333)), (1.7, 180.0, (-5, 8))]


def turned(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([scale * rotation, shift])


@pytest.mark.parametrize(("scale", "degrees", "shift"), TURNS)
def test_a_similarity_is_recovered_from_the_points_that_it_moved(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    matrix = turned(scale, degrees, shift)
    moved = TEMPLATE @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(similarity(TEMPLATE, moved), matrix, atol=1e-9)


def test_points_that_fit_no_similarity_are_met_as_well_as_can_be() -> None:
    random = np.random.default_rng(5)
    target = TEMPLATE + random.normal(0, 4, TEMPLATE.shape)

    def error(matrix: np.ndarray) -> float:
        return float(((TEMPLATE @ matrix[:, :2].T + matrix[:, 2] - target) ** 2).sum())

    best = similarity(TEMPLATE, target)
    for _ in range(200):
        nearby = turned(1 + random.normal(0, 0.01), random.normal(0, 0.5), tuple(random.normal(0, 0.3, 2)))
        moved = np.column_stack([nearby[:, :2] @ best[:, :2], nearby[:, :2] @ best[:, 2] + nearby[:, 2]])
        assert error(moved) >= error(best)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    matrix = similarity(TEMPLATE * (-1, 1), TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_points_in_one_place_are_only_shifted() -> None:
    matrix = similarity(np.full((5, 2), 7.0), TEMPLATE)
    np.testing.assert_allclose(matrix[:, :2], np.eye(2))
    np.testing.assert_allclose(matrix @ (7, 7, 1), TEMPLATE.mean(axis=0))


@pytest.mark.parametrize(("scale", "degrees", "shift"), [(2.5, 30.0, (260, 80)), (0.9, -75.0, (60, 240))])
def test_a_face_is_cut_out_upright_wherever_it_lies(
    scale: float, degrees: float, shift: tuple[float, float]
) -> None:
    matrix = turned(scale, degrees, shift)
    landmarks = TEMPLATE @ matrix[:, :2].T + matrix[:, 2]
    photo = np.zeros((500, 600, 3), np.uint8)
    for colour, (x, y) in zip(np.eye(5, 3, dtype=int) * 155 + 100, landmarks, strict=True):
        cv2.circle(photo, (round(x), round(y)), round(5 * scale), colour.tolist(), -1)
    crop = aligned(photo, landmarks)
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    for colour, (x, y) in zip(np.eye(5, 3, dtype=int) * 155 + 100, TEMPLATE, strict=True):
        np.testing.assert_allclose(crop[round(y), round(x)], colour, atol=3)
    assert crop[4, 4].tolist() == [0, 0, 0]
