"""What the main process sees: declarations by the settings, a catalogue, and nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from imgd_clip.analyzer import ClipAnalyzer
from imgd_clip.errors import ClipModelError
from imgd_clip.models import ENTRIES, IMAGES_ONLY, LARGE, SMALL
from imgd_clip.query import ClipQueryEncoder
from imgd_clip.settings import ClipSettings
from imgd_clip.tokens import clean, wording
from imgd_clip.traits import Traits, architectures, traits_of

from imgd import Model
from imgd.plugins import build_plugin_manager
from imgd.weights.sources import HubSource, WheelSource, parse_source

HEAVY = ("numpy", "onnxruntime", "PIL", "tokenizers", "torch", "open_clip", "safetensors")


def test_the_entry_point_brings_the_analyzer_its_encoder_and_the_catalogue() -> None:
    registry = build_plugin_manager((), selection={"clip"})
    analyzers = registry.analyzers(None)
    declared = registry.configured(analyzers, lambda _name: ClipSettings())
    encoders = registry.query_encoders(None, lambda _name: ClipSettings())
    assert registry.statuses["clip"].error == ""
    assert analyzers == {"clip": ClipAnalyzer}
    assert declared["clip"].requires == (SMALL.model.name,)
    assert list(encoders) == [SMALL.space]
    assert registry.models() == {name: entry.model for name, entry in ENTRIES.items()}


def test_reading_the_plugin_and_its_declarations_imports_nothing_heavy() -> None:
    code = (
        "import sys; from imgd_clip.plugin import *; from imgd_clip.settings import ClipSettings;"
        "ClipAnalyzer.configured(ClipSettings()); ClipQueryEncoder.configured(ClipSettings());"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.model.name)
def test_every_catalogue_model_is_pinned_and_declared_alike_for_photos_and_words(entry: Traits) -> None:
    model: Model = entry.model  # type: ignore[attr-defined]
    for file in model.files:
        for source in map(parse_source, file.sources):
            assert isinstance(source, HubSource | WheelSource)
            if isinstance(source, HubSource):
                assert re.fullmatch("[0-9a-f]{40}", source.revision)
                assert source.path == file.name
            assert file.sha256 or isinstance(source, HubSource)
    settings = ClipSettings(model=model.name)
    analyzer, encoder = ClipAnalyzer.configured(settings), ClipQueryEncoder.configured(settings)
    assert analyzer.requires == encoder.requires == (model.name,)
    assert analyzer.needs.edge == encoder.edge >= entry.image_size * 16 / 9
    assert (encoder.space, encoder.dimensions) == (entry.space, entry.dimensions)
    assert encoder.words is entry.has_texts
    assert bool(encoder.background_texts) is entry.has_texts
    assert not model.default


def test_one_space_is_filled_by_both_backends_of_a_model() -> None:
    onnx, torch = (traits_of(ClipSettings(backend=backend)) for backend in ("onnx", "torch"))
    assert (onnx.space, onnx.dimensions) == (torch.space, torch.dimensions)
    assert (onnx.model, torch.model) == (SMALL.model.name, f"{SMALL.model.name}-torch")


def test_the_space_of_an_earlier_model_keeps_its_encoder() -> None:
    now = ClipSettings(model=LARGE.model.name)
    for entry in ENTRIES.values():
        former = ClipQueryEncoder.for_space(entry.space, now)
        assert former is not None
        assert (former.space, former.dimensions) == (entry.space, entry.dimensions)
    added = ClipQueryEncoder.for_space("clip:ViT-H-14/laion2b_s32b_b79k", now)
    assert added is not None
    assert (added.dimensions, added.requires) == (1024, ("ViT-H-14__laion2b_s32b_b79k",))
    for space in ("clip:mine", "concepts:minilm-l6-v2", "clip:Unheard-Of/weights"):
        assert ClipQueryEncoder.for_space(space, now) is None


def test_a_model_of_openclips_naming_needs_no_more_than_its_name() -> None:
    traits = traits_of(ClipSettings(model="ViT-SO400M-14-SigLIP-384__webli"))
    assert (traits.dimensions, traits.image_size) == (1152, 384)
    assert traits.space == "clip:ViT-SO400M-14-SigLIP-384/webli"
    multilingual = traits_of(ClipSettings(model="nllb-clip-base-siglip__v1"))
    assert multilingual.prompt == "{}"


def test_a_model_of_ones_own_is_told_by_its_sizes() -> None:
    traits = traits_of(ClipSettings(model="mine", image_size=128, dimensions=32))
    assert (traits.space, traits.dimensions, traits.edge_px) == ("clip:mine", 32, 232)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (ClipSettings(model="ViT-B-32__laion2b"), None),
        (ClipSettings(model="ViT-B-32_laion2b-s34b-b79k"), "Did you mean ViT-B-32__laion2b-s34b-b79k"),
        (ClipSettings(model="mine", image_size=224), "set `image_size` and `dimensions`"),
        (ClipSettings(model=IMAGES_ONLY.model.name, backend="torch"), "has no files for the backend torch"),
    ],
)
def test_a_model_that_cannot_be_used_says_what_to_do(settings: ClipSettings, reason: str | None) -> None:
    if reason is None:
        assert traits_of(settings).space == "clip:ViT-B-32/laion2b"
        return
    with pytest.raises(ClipModelError, match=re.escape(reason)):
        ClipAnalyzer.configured(settings)


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"prompt": "a photo"}, {"prompt": "{} {}"}, {"model": " "}):
        with pytest.raises(ValueError, match=r"must"):
            ClipSettings(**wrong)


def test_the_table_of_architectures_is_that_of_the_openclip_that_is_installed() -> None:
    import importlib.util
    import json

    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        pytest.skip("open_clip_torch is not installed")
    paths = list((Path(found.origin).parent / "model_configs").glob("*.json"))
    assert paths
    for path in paths:
        config = json.loads(path.read_bytes())
        expected = (config["embed_dim"], config["vision_cfg"].get("image_size", 224))
        assert architectures().get(path.stem.lower()) == expected, f"{path.stem} is missing in architectures.tsv"


def test_a_new_prompt_or_backend_makes_no_finding_stale() -> None:
    assert ClipAnalyzer.code_settings == {"backend", "batch_size", "threads", "prompt"}


@pytest.mark.parametrize(
    ("text", "worded"),
    [
        ("two dogs", "a photo of two dogs"),
        ("  dog ", "a photo of dog"),
        ("A photo of a dog", "A photo of a dog"),
        ("pictures showing snow", "pictures showing snow"),
        ("photographer", "a photo of photographer"),
        ("", ""),
    ],
)
def test_queries_are_worded_as_captions(text: str, worded: str) -> None:
    assert wording("a photo of {}", text) == worded


def test_words_of_models_that_know_no_punctuation_lose_it() -> None:
    assert clean("A dog, running_fast!", canonical=True) == "a dog running fast"
    assert clean("A dog,\n running_fast!", canonical=False) == "A dog, running_fast!"


def test_background_texts_are_many_short_and_distinct() -> None:
    texts = ClipQueryEncoder.background_texts
    assert 300 <= len(texts) <= 1000
    assert len(set(texts)) == len(texts)
    assert all(0 < len(text) <= 40 for text in texts)
