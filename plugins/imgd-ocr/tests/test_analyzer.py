from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from imgd_ocr.analyzer import OcrAnalyzer
from imgd_ocr.sessions import Session
from imgd_ocr.settings import OcrSettings

from imgd import DeviceUnusableError, Finding
from imgd.testing import StoredFinding, check_analyzer, make_photo

Pixels = npt.NDArray[np.uint8]
Draw = Callable[..., Pixels]
Read = Callable[[Pixels], Finding]


def text_of(finding: Finding) -> str:
    return "\n".join(text.text for text in finding.texts)


def test_it_keeps_the_contract(draw: Draw) -> None:
    settings = OcrSettings(threads=2, edge=640)
    analyzer = OcrAnalyzer.configured(settings)
    pages = {
        "a page": draw({(40, 60): "Harbour", (40, 200): "Lighthouse"}),
        "a page on its side": np.ascontiguousarray(np.rot90(draw({(40, 60): "Harbour"}))),
        "a strip": draw({(4, 0): "Lighthouse keeper"}, (400, 24), 18),
    }
    photos = {name: make_photo(analyzer, pixels) for name, pixels in pages.items()}
    outcomes = check_analyzer(OcrAnalyzer, settings=settings, photos=photos)
    page, strip = outcomes["a page"], outcomes["a strip"]
    assert isinstance(page, StoredFinding)
    assert isinstance(strip, StoredFinding)
    assert [text.text for text in page.texts] == ["Harbour\nLighthouse"]
    assert [text.text for text in strip.texts] == ["Lighthouse keeper"]
    nothing = outcomes["a black photo"]
    assert isinstance(nothing, StoredFinding)
    assert nothing.facts == {"text_skipped": True}


def test_words_are_read_with_their_boxes(read: Read, draw: Draw) -> None:
    finding = read(draw({(80, 90): "Harbour master", (400, 420): "Lighthouse"}, (800, 600)))
    assert [(text.kind, text.text) for text in finding.texts] == [("text", "Harbour master\nLighthouse")]
    assert finding.facts == {"text_lines": 2}
    assert [region.label for region in finding.regions] == ["Harbour master", "Lighthouse"]
    for region, (left, top) in zip(finding.regions, [(80, 90), (400, 420)], strict=True):
        assert region.kind == "text"
        assert region.score > 0.9
        assert region.box[0] == pytest.approx(left / 800, abs=0.03)
        assert region.box[1] == pytest.approx(top / 600, abs=0.03)
        assert region.box[2] > 2 * region.box[3] > 0.05


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_page_that_lies_on_its_side_or_head_is_read_in_order(read: Read, draw: Draw, quarters: int) -> None:
    lines = ["The harbour master", "keeps a lighthouse", "and three brown dogs", "on the southern pier"]
    page = draw({(60, 60 + 90 * row): line for row, line in enumerate(lines)}, (640, 480))
    assert text_of(read(np.ascontiguousarray(np.rot90(page, quarters)))).split("\n") == lines


def test_columns_are_read_one_after_the_other_below_their_headline(read: Read, draw: Draw) -> None:
    left = ["harbour master", "lighthouse keeper", "southern pier", "brown fishing boat"]
    right = ["mountain village", "railway station", "yellow windmill", "wooden bridge"]
    places = {(40, 20): "Morning Herald and Evening Gazette"}
    for column, lines in ((40, left), (480, right)):
        places |= {(column, 120 + 70 * row): line for row, line in enumerate(lines)}
    read_lines = text_of(read(draw(places, (860, 440), 36))).split("\n")
    assert read_lines == ["Morning Herald and Evening Gazette", *left, *right]


def test_words_beside_each_other_are_one_line(read: Read, draw: Draw) -> None:
    finding = read(draw({(40, 100): "Lighthouse", (500, 100): "Harbour"}))
    assert text_of(finding) == "Lighthouse Harbour"
    assert finding.facts == {"text_lines": 2}


def test_a_photo_in_which_a_cheap_look_finds_no_text_is_skipped_and_says_so(draw: Draw) -> None:
    rows, columns = np.mgrid[0:600, 0:800]
    sky = np.stack([rows // 4, columns // 5, (rows + columns) // 6], axis=-1).astype(np.uint8)
    settings = OcrSettings(threads=1)
    analyzer = OcrAnalyzer(settings, {})
    analyzer.load("cpu")
    page = draw({(80, 90): "Lighthouse"})
    without, with_text = analyzer.analyze([make_photo(OcrAnalyzer, sky), make_photo(OcrAnalyzer, page)])
    analyzer.close()
    assert isinstance(without, Finding)
    assert isinstance(with_text, Finding)
    assert without == Finding(facts={"text_skipped": True})
    assert text_of(with_text) == "Lighthouse"


@pytest.mark.parametrize(("threshold", "facts"), [(0.0, {"text_lines": 0}), (1.0, {"text_skipped": True})])
def test_the_threshold_decides_what_is_read(threshold: float, facts: dict[str, object]) -> None:
    analyzer = OcrAnalyzer(OcrSettings(threads=1, text_threshold=threshold), {})
    analyzer.load("cpu")
    (finding,) = analyzer.analyze([make_photo(OcrAnalyzer, np.full((300, 400, 3), 90, np.uint8))])
    analyzer.close()
    assert isinstance(finding, Finding)
    assert finding.facts == facts
    assert not finding.texts


def test_lines_that_are_not_sure_enough_are_dropped(draw: Draw) -> None:
    page = draw({(80, 90): "Lighthouse"})
    analyzer = OcrAnalyzer(OcrSettings(threads=1, min_confidence=1.0), {})
    analyzer.load("cpu")
    (finding,) = analyzer.analyze([make_photo(OcrAnalyzer, page)])
    analyzer.close()
    assert isinstance(finding, Finding)
    assert finding.facts == {"text_lines": 0}


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 3), (12, 1500), (1500, 12), (40, 40)])
def test_tiny_and_long_photos_get_a_finding(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (*shape, 3), dtype=np.uint8)
    analyzer = OcrAnalyzer(OcrSettings(threads=1, text_threshold=0.0), {})
    analyzer.load("cpu")
    for finding in analyzer.analyze([make_photo(OcrAnalyzer, noise), make_photo(OcrAnalyzer, noise // 255)]):
        assert isinstance(finding, Finding)
        assert all(0 <= edge <= 1 for region in finding.regions for edge in region.box)
    analyzer.close()


def test_a_word_that_was_cut_out_to_its_edges_is_read(read: Read, draw: Draw) -> None:
    finding = read(draw({(2, -8): "Lighthouse"}, (200, 42)))
    assert text_of(finding) == "Lighthouse"
    (region,) = finding.regions
    assert region.box[2] > 0.9


def test_what_really_reads_is_named() -> None:
    analyzer = OcrAnalyzer(OcrSettings(threads=1), {})
    analyzer.load("cpu")
    analyzer.close()
    assert analyzer.runtime == "onnxruntime CPUExecutionProvider"


def test_a_device_that_onnxruntime_cannot_use_is_refused_with_what_to_install() -> None:
    analyzer = OcrAnalyzer(OcrSettings(threads=1), {})
    # No machine has so many.
    with pytest.raises(DeviceUnusableError, match=r"cannot use cuda:99 here: .+ onnxruntime-gpu"):
        analyzer.load("cuda:99")


def test_a_session_that_wants_few_shapes_reads_the_same(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, read: Read
) -> None:
    """As on a GPU: photos and lines are filled up to a few sizes, each with a session of its own."""
    pages = [
        draw({(80, 90): "Harbour master", (400, 420): "Lighthouse"}),
        draw({(40, 60): "Harbour"}, (480, 640)),
        draw({(4, 0): "Lighthouse keeper of the southern pier"}, (800, 24), 18),
    ]
    expected = [text_of(read(page)) for page in pages]
    monkeypatch.setattr(Session, "wants_few_shapes", True)
    few = OcrAnalyzer(OcrSettings(threads=1), {})
    few.load("cpu")
    for page, text in zip(pages, expected, strict=True):
        (finding,) = few.analyze([make_photo(OcrAnalyzer, page)])
        assert isinstance(finding, Finding)
        assert text_of(finding) == text
    few.close()
    detector, recogniser = few._reader._detector._session, few._reader._recognisers[0]._session
    assert {shape[2:] for shape in detector._of_shapes} == {(384, 384), (1536, 1536)}
    assert {shape[3] for shape in recogniser._of_shapes} <= {320, 640, 1280}
