"""The analyzer over a real BLIP of tiny sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from imgd_caption.analyzer import CaptionAnalyzer
from imgd_caption.settings import CaptionSettings
from tiny_blip import COLOURS, caption_of, square

from imgd import Finding, Needs, PhotoInput, Text
from imgd.testing import check_analyzer, make_photo

MODEL = "tiny-blip"


def loaded(directory: Path, **settings: Any) -> CaptionAnalyzer:
    made = CaptionSettings(model=MODEL, threads=1, **settings)
    analyzer = CaptionAnalyzer.configured(made)(made, {MODEL: directory})
    analyzer.load("cpu")
    return analyzer


@pytest.fixture(scope="module")
def analyzer(tiny_blip: Path) -> Iterator[CaptionAnalyzer]:
    made = loaded(tiny_blip)
    yield made
    made.close()


def photos(count: int) -> list[tuple[str, PhotoInput]]:
    """Squares of both colours, none of which the model was trained on, with the captions they should have."""
    return [
        (caption_of(colour), make_photo(CaptionAnalyzer, square(colour, 10_000 + number, (240, 320))))
        for number in range(count)
        for colour in COLOURS
    ]


def said(findings: Sequence[object]) -> list[str]:
    texts = []
    for finding in findings:
        assert isinstance(finding, Finding)
        (text,) = finding.texts
        assert finding == Finding(texts=[Text("caption", text.text)])
        texts.append(text.text)
    return texts


@pytest.mark.parametrize("beams", [1, 3])
def test_photos_are_captioned_with_what_they_show(tiny_blip: Path, beams: int) -> None:
    analyzer = loaded(tiny_blip, beams=beams)
    captions, inputs = zip(*photos(8), strict=True)
    assert said(analyzer.analyze(inputs)) == list(captions)
    analyzer.close()


def test_a_caption_is_the_same_alone_in_any_batch_and_begun_ahead(analyzer: CaptionAnalyzer) -> None:
    inputs = [photo for _, photo in photos(3)]
    noise = [np.random.default_rng(seed).integers(0, 256, (90, 60, 3), np.uint8) for seed in range(4)]
    inputs += [make_photo(CaptionAnalyzer, pixels) for pixels in noise]
    alone = [analyzer.analyze([photo])[0] for photo in inputs]
    for order in (range(10), range(9, -1, -1), range(3, 8)):
        batch = analyzer.analyze([inputs[number] for number in order])
        assert list(batch) == [alone[number] for number in order]
    first, second = analyzer.begin(inputs[:5]), analyzer.begin(inputs[5:])
    assert [*analyzer.finish(first), *analyzer.finish(second)] == alone
    assert list(analyzer.analyze([])) == []


def test_it_keeps_the_contract(tiny_blip: Path) -> None:
    settings = CaptionSettings(model=MODEL, batch_size=4, threads=1)
    outcomes = check_analyzer(CaptionAnalyzer, settings=settings, model_dirs={MODEL: tiny_blip})
    assert outcomes


def test_settings_decide_what_is_declared() -> None:
    plain = CaptionAnalyzer.configured(CaptionSettings())
    assert (plain.requires, plain.needs, plain.batch_size) == (("blip-base",), Needs(edge=512), 16)
    large = CaptionAnalyzer.configured(CaptionSettings(model="blip-large", batch_size=2, beams=5))
    assert (large.requires, large.batch_size) == (("blip-large",), 2)
    assert large.memory_mb > plain.memory_mb
    assert large.photo_mb > plain.photo_mb
    own = CaptionAnalyzer.configured(CaptionSettings(model="my-blip"))
    assert own.requires == ("my-blip",)
    assert own.memory_mb == large.memory_mb


def test_a_loaded_model_says_what_it_takes_itself(tiny_blip: Path, analyzer: CaptionAnalyzer) -> None:
    weights_mb = (tiny_blip / "model.safetensors").stat().st_size / 1e6
    declared = CaptionAnalyzer.configured(CaptionSettings(model=MODEL))
    assert analyzer.memory_mb < declared.memory_mb
    assert analyzer.memory_mb - CaptionAnalyzer.configured(CaptionSettings()).memory_mb == pytest.approx(
        weights_mb - 990, abs=1
    )
    assert analyzer.photo_mb == declared.photo_mb
    assert analyzer.runtime == "PyTorch cpu, float32"


def test_captions_end_where_the_setting_says(tiny_blip: Path) -> None:
    analyzer = loaded(tiny_blip, max_new_tokens=3)
    (_, photo), *_ = photos(1)
    assert said(analyzer.analyze([photo])) == ["a red square"]
    analyzer.close()


@pytest.mark.parametrize(
    "wrong",
    [{"precision": "int8"}, {"beams": 0}, {"batch_size": 0}, {"max_new_tokens": 0}, {"model": ""}, {"beams": 2.5}],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, CaptionSettings)
