import subprocess
import sys

from imgd_ocr.analyzer import OcrAnalyzer

from imgd.plugins import build_plugin_manager

HEAVY = ("cv2", "onnxruntime", "rapidocr", "numpy")


def test_the_entry_point_brings_the_analyzer_and_the_models_of_further_scripts() -> None:
    registry = build_plugin_manager((), selection={"ocr"})
    assert registry.statuses["ocr"].error == ""
    assert registry.analyzers(None) == {"ocr": OcrAnalyzer}
    assert OcrAnalyzer.requires == ()
    models = registry.models()
    assert len(models) == 9
    assert not any(model.default or model.must_accept for model in models.values())


def test_reading_the_plugin_and_its_settings_imports_nothing_heavy() -> None:
    code = (
        "import sys; from imgd_ocr.plugin import OcrAnalyzer; from imgd_ocr.settings import OcrSettings;"
        f"OcrAnalyzer.configured(OcrSettings(languages=('ru',)));"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    )
