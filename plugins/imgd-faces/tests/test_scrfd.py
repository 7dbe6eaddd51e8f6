import numpy as np
import pytest
from imgd_faces.scrfd import STRIDES, anchor_points, decode, letterbox, suppress

HEIGHT, WIDTH = 96, 160


def planted(level: int, row: int, column: int, anchor: int, score: float) -> list[np.ndarray]:
    """What the network says where one anchor has a score: its face reaches 2, 3, 4 and 5 strides from it."""
    outputs = [
        np.zeros((2 * (HEIGHT // stride) * (WIDTH // stride), columns), np.float32)
        for columns in (1, 4, 10)
        for stride in STRIDES
    ]
    place = 2 * (row * (WIDTH // STRIDES[level]) + column) + anchor
    outputs[level][place] = score
    outputs[3 + level][place] = (2, 3, 4, 5)
    outputs[6 + level][place] = range(10)
    return outputs


@pytest.mark.parametrize("anchor", [0, 1])
@pytest.mark.parametrize(("level", "row", "column"), [(0, 7, 11), (1, 2, 9), (2, 1, 3)])
def test_a_face_comes_out_where_its_anchor_and_its_distances_say(
    level: int, row: int, column: int, anchor: int
) -> None:
    found = decode(planted(level, row, column, anchor, 0.9), (HEIGHT, WIDTH), 0.5)
    stride = STRIDES[level]
    x, y = column * stride, row * stride
    np.testing.assert_allclose(found.scores, [0.9])
    expected = [[x - 2 * stride, y - 3 * stride, x + 4 * stride, y + 5 * stride]]
    np.testing.assert_allclose(found.boxes, expected)
    steps = np.arange(10).reshape(5, 2) * stride
    np.testing.assert_allclose(found.landmarks, [steps + np.array([x, y])])


def test_outputs_with_a_batch_axis_say_the_same() -> None:
    outputs = planted(1, 2, 9, 0, 0.9)
    plain = decode(outputs, (HEIGHT, WIDTH), 0.5)
    batched = decode([output[None] for output in outputs], (HEIGHT, WIDTH), 0.5)
    np.testing.assert_array_equal(plain.boxes, batched.boxes)
    np.testing.assert_array_equal(plain.landmarks, batched.landmarks)


def test_only_scores_from_the_threshold_up_are_faces() -> None:
    outputs = planted(0, 1, 1, 0, 0.5)
    assert len(decode(outputs, (HEIGHT, WIDTH), 0.5)) == 1
    assert len(decode(outputs, (HEIGHT, WIDTH), 0.51)) == 0


def test_anchors_stand_two_at_each_place_row_by_row() -> None:
    expected = [[0, 0], [0, 0], [16, 0], [16, 0], [0, 16], [0, 16], [16, 16], [16, 16]]
    assert anchor_points(2, 2, 16).tolist() == expected


def test_of_boxes_that_overlap_the_best_stays_and_neighbours_stay_too() -> None:
    boxes = np.array([[0, 0, 99, 99], [5, 5, 104, 104], [200, 0, 299, 99], [60, 0, 159, 99]], np.float32)
    assert suppress(boxes, np.array([0.7, 0.9, 0.6, 0.8], np.float32), 0.4).tolist() == [1, 3, 2]


def test_what_overlaps_only_with_a_box_that_is_gone_stays() -> None:
    boxes = np.array([[0, 0, 99, 99], [40, 0, 139, 99], [80, 0, 179, 99]], np.float32)
    # The middle one overlaps both by 0.43; the outer ones overlap by 0.11.
    assert suppress(boxes, np.array([0.9, 0.8, 0.7], np.float32), 0.4).tolist() == [0, 2]


def test_nothing_found_is_nothing_to_suppress() -> None:
    assert suppress(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.4).tolist() == []


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (100, 1600), (3000, 2000), (7, 5), (1, 1)])
def test_a_photo_is_scaled_to_the_edge_and_filled_up_with_black(shape: tuple[int, int]) -> None:
    blob, factors = letterbox(np.full((*shape, 3), 255, np.uint8), 320)
    height, width = blob.shape[2:]
    assert (height % 32, width % 32) == (0, 0)
    assert max(height, width) == 320
    across, down = round(shape[1] / factors[0]), round(shape[0] / factors[1])
    assert max(across, down) == 320
    inside = blob[0, :, :down, :across]
    np.testing.assert_allclose(inside, (255 - 127.5) / 128, atol=1e-6)
    assert inside.size + (blob == blob.min()).sum() in (blob.size, 2 * blob.size)
    assert abs(across * shape[0] - down * shape[1]) <= max(shape) + 1


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (100, 1600)])
def test_a_square_holds_the_same_picture_and_more_black(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    blob, factors = letterbox(pixels, 320)
    square, same_factors = letterbox(pixels, 320, square=True)
    height, width = blob.shape[2:]
    assert square.shape == (1, 3, 320, 320)
    np.testing.assert_array_equal(square[:, :, :height, :width], blob)
    np.testing.assert_array_equal(same_factors, factors)
    assert (square[:, :, height:] == blob.min()).all()
    assert (square[:, :, :, width:] == blob.min()).all()
