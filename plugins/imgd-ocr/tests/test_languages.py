"""Languages that rapidocr's own model does not read, on models of the same architecture and format: its own one,
with the letters of its dictionary exchanged."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import yaml
from imgd_ocr.analyzer import OcrAnalyzer
from imgd_ocr.languages import SCRIPT_OF, scripts_of
from imgd_ocr.models import RECOGNISERS
from imgd_ocr.recogniser import reordered
from imgd_ocr.sessions import DETECTOR_FILE, DIRECTION_FILE, RECOGNISER_FILE, shipped_model
from imgd_ocr.settings import OcrSettings

from imgd import Finding
from imgd.config import KnownAnalyzers, Settings, load
from imgd.errors import ConfigError
from imgd.plugins import build_plugin_manager
from imgd.testing import make_photo

Draw = Callable[..., npt.NDArray[np.uint8]]
TO_CYRILLIC = str.maketrans("abekmnoprstuxy", "абекмнорстухцч"[:14])


@pytest.fixture(scope="session")
def published() -> dict[str, Any]:
    """rapidocr's own list of its models, for onnxruntime."""
    text = files("rapidocr").joinpath("default_models.yaml").read_text("utf-8")
    return yaml.safe_load(text)  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def cyrillic(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The directory of a model that reads Latin letters as Cyrillic ones, as that of the East Slavic model."""
    model = RECOGNISERS["eslav"]
    directory = tmp_path_factory.mktemp("eslav")
    graph = onnx.load(str(shipped_model(RECOGNISER_FILE)))
    for entry in graph.metadata_props:
        if entry.key == "character":
            entry.value = entry.value.translate(TO_CYRILLIC)
    onnx.save(graph, str(directory / model.files[0].name))
    return {model.name: directory}


def read(settings: OcrSettings, model_dirs: Mapping[str, Path], pixels: npt.NDArray[np.uint8]) -> str:
    analyzer = OcrAnalyzer.configured(settings)(settings, model_dirs)
    analyzer.load("cpu")
    (finding,) = analyzer.analyze([make_photo(type(analyzer), pixels)])
    analyzer.close()
    assert isinstance(finding, Finding)
    return "\n".join(text.text for text in finding.texts)


def test_the_languages_decide_which_models_are_required() -> None:
    def required(*languages: str) -> tuple[str, ...]:
        return OcrAnalyzer.configured(OcrSettings(languages=languages)).requires

    assert required("en", "de", "zh", "ja") == ()
    assert required("ru") == ("ppocrv5-rec-eslav",)
    assert required("en", "ko", "uk", "ru") == ("ppocrv5-rec-korean", "ppocrv5-rec-eslav")


def test_settings_decide_about_the_size_of_photos() -> None:
    assert OcrAnalyzer.configured(OcrSettings(edge=2400)).needs.edge == 2400


def test_a_language_nobody_reads_is_a_configuration_error_with_those_there_are(tmp_path: Path) -> None:
    config = tmp_path / "imgd.toml"
    config.write_text('[analyzers.ocr]\nlanguages = ["en", "rus"]\n')
    registry = build_plugin_manager((), selection={"ocr"})

    def schemas(settings: Settings) -> KnownAnalyzers:
        return KnownAnalyzers({name: each.settings_type for name, each in registry.analyzers(settings).items()})

    with pytest.raises(ConfigError) as raised:
        load(config, schemas)
    assert "no model reads the language 'rus': did you mean ru" in str(raised.value)
    assert "uk, ur, uz" in str(raised.value)


@pytest.mark.parametrize("languages", [(), ("xx",), ("EN",)])
def test_no_language_and_unknown_ones_are_refused(languages: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"languages|no model reads"):
        OcrSettings(languages=languages)


def test_the_model_of_a_script_reads_with_the_letters_that_its_file_lists(
    cyrillic: Mapping[str, Path], draw: Draw
) -> None:
    page = draw({(80, 90): "nebo more"})
    assert read(OcrSettings(languages=("ru",), threads=1), cyrillic, page) == "nebo more".translate(TO_CYRILLIC)


def test_of_two_models_the_surer_one_is_believed_line_by_line(cyrillic: Mapping[str, Path], draw: Draw) -> None:
    page = draw({(80, 90): "nebo more"})
    both = read(OcrSettings(languages=("en", "ru"), threads=1), cyrillic, page)
    assert both == "nebo more"  # both are as sure: the language that is named first counts


def test_the_catalogue_has_what_rapidocr_publishes(published: dict[str, Any]) -> None:
    listed = published["onnxruntime"]["PP-OCRv5"]["rec"]
    for model in RECOGNISERS.values():
        (file,) = model.files
        entry = listed[file.name.removesuffix(".onnx")]
        assert (file.sha256, file.sources) == (entry["SHA256"], (entry["model_dir"],))
        assert model.languages
        assert not model.default


def test_the_models_that_rapidocr_carries_are_those_it_publishes(published: dict[str, Any]) -> None:
    hashes = {
        Path(entry["model_dir"]).name: entry["SHA256"]
        for version in published["onnxruntime"].values()
        for kind in ("det", "rec", "cls")
        for entry in version.get(kind, {}).values()
    }
    for name in (DETECTOR_FILE, RECOGNISER_FILE, DIRECTION_FILE):
        assert hashlib.sha256(shipped_model(name).read_bytes()).hexdigest() == hashes[name]


def test_the_carried_model_reads_the_languages_that_rapidocr_says(published: dict[str, Any]) -> None:
    said = set(published["model_routes"]["PP-OCRv6"]["rec"]["small"][0]["supported_langs"]) - {"french", "german"}
    other_names = {"ch": "zh", "chinese_cht": "zh-tw", "japan": "ja", "rs_latin": "sr-latn"}
    ours = {code for code, script in SCRIPT_OF.items() if not script}
    assert ours == {other_names.get(code, code) for code in said}
    assert scripts_of(ours) == ("",)


def test_loading_asks_no_network(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("something was asked for over the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert read(OcrSettings(threads=1), {}, draw({(80, 90): "Lighthouse"})) == "Lighthouse"


def test_a_model_that_is_missing_is_named_with_what_to_do() -> None:
    with pytest.raises(FileNotFoundError, match="reinstall it with `pip install 'rapidocr"):
        shipped_model("other.onnx")


def test_right_to_left_text_is_turned_round_but_for_numbers() -> None:
    assert reordered("ABC 12".replace("ABC", "\u05d0\u05d1\u05d2")) == " 12\u05d2\u05d1\u05d0"
    assert reordered("") == ""
