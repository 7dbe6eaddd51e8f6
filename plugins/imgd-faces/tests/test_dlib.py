"""What the route of dlib computes itself."""

import numpy as np
import pytest
from imgd_faces.alignment import TEMPLATE

pytest.importorskip("dlib", reason="the extra imgd-faces[dlib] is not installed")

from imgd_faces import dlib_faces


@pytest.mark.parametrize("score", [0.3, 0.5, 0.75, 0.99])
def test_a_threshold_becomes_the_margin_that_has_that_score(score: float) -> None:
    assert dlib_faces.score_of(dlib_faces.margin_of(score)) == pytest.approx(score)


def test_half_a_score_is_the_threshold_of_dlib_itself() -> None:
    assert dlib_faces.margin_of(0.5) == 0.0
    assert dlib_faces.margin_of(0.0) == -1.0
    assert dlib_faces.score_of(dlib_faces.margin_of(1.0)) == pytest.approx(1.0)


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0.0), (2.5, 20.0), (0.4, -75.0)])
def test_eyes_are_the_middles_of_their_corners_and_the_mouth_lies_where_a_face_has_it(
    scale: float, degrees: float
) -> None:
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = TEMPLATE @ turn.T + (300, 200)
    eyes, mouth = face[:2].mean(axis=0), face[3:].mean(axis=0)
    across = turn @ (8, 0)
    corners = np.array([face[1] + across, face[1] - across, face[0] - across, face[0] + across, eyes])
    corners[4] += 0.75 * (mouth - eyes)
    found = dlib_faces.landmarks_of(corners.astype(np.float32))
    np.testing.assert_allclose(found[:2], face[:2], atol=1e-3)
    np.testing.assert_allclose(found[3:], face[3:], atol=1e-3)
