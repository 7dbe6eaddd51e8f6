import cv2
import numpy as np
import pytest
from imgd_faces.alignment import TEMPLATE
from imgd_faces.quality import pose, quality, sharpness, size

NOISE = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def test_a_large_sharp_frontal_sure_face_is_nearly_perfect() -> None:
    assert quality(NOISE, TEMPLATE * 3, 1.0) > 0.97


@pytest.mark.parametrize("factor", [0.5, 0.25, 0.1])
def test_size_is_that_of_the_eyes_against_the_template(factor: float) -> None:
    assert size(TEMPLATE * factor) == pytest.approx(factor)
    assert size(TEMPLATE / factor) == 1.0


def test_what_is_blurred_more_is_less_sharp() -> None:
    values = [sharpness(NOISE), *(sharpness(cv2.GaussianBlur(NOISE, (0, 0), sigma)) for sigma in (1, 2, 4, 8))]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    assert values[-1] < 0.1
    assert sharpness(np.full_like(NOISE, 90)) == 0.0


def test_a_face_that_turns_away_loses_its_pose_whichever_way_and_however_it_is_tilted() -> None:
    middle, eyes = TEMPLATE[:2].mean(axis=0), np.linalg.norm(TEMPLATE[1] - TEMPLATE[0])
    for tilt in (0.0, 40.0, 180.0):
        angle = np.deg2rad(tilt)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for way in (-1, 1):
            for off, expected in ((0, 1.0), (0.25, 0.75), (0.5, 0.0), (0.8, 0.0)):
                landmarks = np.array([[-eyes / 2, 0], [eyes / 2, 0], [way * off * eyes, 20], [0, 0], [0, 0]])
                assert pose(landmarks @ turn.T + middle) == pytest.approx(expected, abs=1e-6)


def test_eyes_in_one_place_are_no_face_that_can_be_recognised() -> None:
    assert quality(NOISE, np.zeros((5, 2)), 0.9) == 0.0


def test_each_measure_alone_lowers_the_whole() -> None:
    best = quality(NOISE, TEMPLATE, 0.9)
    aside = TEMPLATE.copy()
    aside[2, 0] += 12
    for crop, landmarks, score in (
        (NOISE, TEMPLATE, 0.5),
        (NOISE, TEMPLATE / 4, 0.9),
        (NOISE, aside, 0.9),
        (cv2.GaussianBlur(NOISE, (0, 0), 4), TEMPLATE, 0.9),
    ):
        assert quality(crop, landmarks, score) < best - 0.05
