import subprocess
import sys

from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.descriptions import DescriptionAnalyzer, DescriptionQueryEncoder
from imgd_concepts.query import ConceptQueryEncoder

from imgd.plugins import build_plugin_manager

HEAVY = ("cv2", "onnxruntime", "ai_edge_litert", "tokenizers", "numpy")


def test_the_entry_point_brings_the_analyzers_their_encoders_and_models() -> None:
    registry = build_plugin_manager((), selection={"concepts"})
    assert registry.statuses["concepts"].error == ""
    assert registry.analyzers(None) == {"concepts": ConceptAnalyzer, "descriptions": DescriptionAnalyzer}
    assert registry.query_encoders(None) == {
        "concepts:minilm-l6-v2": ConceptQueryEncoder,
        "descriptions:minilm-l6-v2": DescriptionQueryEncoder,
    }
    models = registry.models()
    assert set(ConceptAnalyzer.requires) == set(models)
    assert all(model.default and not model.must_accept for model in models.values())


def test_reading_the_plugin_imports_nothing_heavy() -> None:
    code = f"import sys, imgd_concepts.plugin; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    )
