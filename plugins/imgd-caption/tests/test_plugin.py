import re
import subprocess
import sys

from imgd_caption.analyzer import CaptionAnalyzer
from imgd_caption.models import MODELS

from imgd.plugins import build_plugin_manager

HEAVY = ("torch", "transformers", "torchvision", "PIL", "numpy")


def test_the_entry_point_brings_the_analyzer_and_its_models() -> None:
    registry = build_plugin_manager((), selection={"caption"})
    assert registry.statuses["caption"].error == ""
    assert registry.analyzers(None) == {"caption": CaptionAnalyzer}
    assert list(registry.models()) == ["blip-base", "blip-large"]
    assert not any(model.default or model.must_accept for model in MODELS)


def test_models_come_from_pinned_revisions_with_the_files_that_are_loaded() -> None:
    for model in MODELS:
        names = {file.name for file in model.files}
        assert {"config.json", "preprocessor_config.json", "tokenizer.json"} < names
        assert names & {"model.safetensors", "pytorch_model.bin"}
        for file in model.files:
            (source,) = file.sources
            assert re.fullmatch(rf"hub:Salesforce/[\w-]+@[0-9a-f]{{40}}:{re.escape(file.name)}", source)
            assert re.fullmatch(r"[0-9a-f]{64}|", file.sha256)
            assert file.name.endswith(".safetensors") or file.sha256 or model.name == "blip-large"


def test_reading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, imgd_caption.plugin as p\n"
        "p.CaptionAnalyzer.configured(p.CaptionAnalyzer.settings_type())\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
