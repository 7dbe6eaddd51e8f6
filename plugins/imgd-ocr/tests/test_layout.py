import numpy as np
import pytest
from imgd_ocr.layout import Line, in_reading_order


def line(text: str, left: float, top: float, width: float = 200, height: float = 20) -> Line:
    right, bottom = left + width, top + height
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return Line(np.array(corners, np.float32), text, 1.0)


def turned(lines: list[Line], degrees: float) -> list[Line]:
    """The page, turned clockwise."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return [Line((each.quad @ turn).astype(np.float32), each.text, 1.0) for each in lines]


def read(lines: list[Line]) -> str:
    shuffled = [lines[index] for index in np.random.default_rng(3).permutation(len(lines))]
    return " / ".join(" ".join(piece.text for piece in row) for row in in_reading_order(shuffled))


PAGE = [
    line("headline", 0, 0, 640, 40),
    *(line(f"a{row}", 0, 60 + 30 * row) for row in range(4)),
    *(line(f"b{row}", 220, 60 + 30 * row) for row in range(4)),
    *(line(f"c{row}", 440, 60 + 30 * row) for row in range(3)),
    line("footer", 0, 220, 640),
]
IN_ORDER = "headline / a0 / a1 / a2 / a3 / b0 / b1 / b2 / b3 / c0 / c1 / c2 / footer"


@pytest.mark.parametrize("degrees", [0, 3, -4, 90, 180, 268])
def test_columns_below_a_headline_whichever_way_the_page_lies(degrees: float) -> None:
    assert read(turned(PAGE, degrees)) == IN_ORDER


def test_columns_that_one_line_joins_stay_columns() -> None:
    # The lines lie so close that their boxes overlap: no white space across the page parts the joined one.
    columns = [
        line(f"{name}{row}", left, 11 * row) for name, left in (("a", 0), ("b", 220)) for row in range(1, 5)
    ]
    joined = line("joined", 0, 0, 420)
    assert read([joined, *columns]) == "joined / a1 / a2 / a3 / a4 / b1 / b2 / b3 / b4"


def test_a_list_of_names_and_values_is_read_by_rows() -> None:
    rows = [(line(f"name{row}", 0, 40 * row, 80), line(f"{row}", 100, 40 * row, 30)) for row in range(2)]
    assert read([each for row in rows for each in row]) == "name0 0 / name1 1"


def test_nothing_and_one_line() -> None:
    assert in_reading_order([]) == []
    assert read([line("alone", 5, 5)]) == "alone"
