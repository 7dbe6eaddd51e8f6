from pathlib import Path

import pytest

from imgd.errors import ModelError
from imgd.weights.sources import FileSource, HubSource, WebSource, WheelSource, parse_source


def test_the_forms_of_a_source_are_read() -> None:
    assert parse_source("hub:org/repo-1@v1.0:onnx/model.onnx") == HubSource(
        "org/repo-1", "v1.0", "onnx/model.onnx"
    )
    assert parse_source("pypi:toy-weights==1.0.post1:toy/a.bin") == WheelSource(
        "toy-weights", "1.0.post1", "toy/a.bin"
    )
    assert parse_source("https://example.org/v1/model.onnx") == WebSource("https://example.org/v1/model.onnx")
    assert parse_source("file:/srv/a model.bin") == FileSource(Path("/srv/a model.bin"))


@pytest.mark.parametrize(
    "text",
    ["", "http://x/y", "https://x", "https:x/y", "pypi:--upgrade==1:x", "pypi:toy:x", "hub:repo@main:x"],
)
def test_anything_else_is_refused_with_the_forms_that_there_are(text: str) -> None:
    with pytest.raises(ModelError) as raised:
        parse_source(text)
    assert "hub:ORG/REPO@REVISION:PATH" in raised.value.advice
