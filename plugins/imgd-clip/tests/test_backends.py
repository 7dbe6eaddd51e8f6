"""Both backends keep the analyzer's contract, and agree: with each other, and with OpenCLIP itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from imgd_clip.analyzer import ClipAnalyzer
from imgd_clip.query import ClipQueryEncoder
from imgd_clip.settings import ClipSettings

from imgd import Finding
from imgd.testing import check_analyzer, make_photo

SettingsOf = Callable[..., ClipSettings]

BACKENDS = ["small", "small-torch"]
TEXTS = [
    "dog",
    "a photo of two cats on a sofa",
    "Sunset over the sea, 1998!",
    "der Hund läuft über die Wiese",
    "",
    "it\u2019s   \u201cquoted\u201d &amp; spaced",
    "犬 и собака",
    " ".join(["many words about one long afternoon in the garden"] * 20),
]


def photos(count: int, cls: type[ClipAnalyzer]) -> list[npt.NDArray[np.uint8]]:
    """Different pictures with structure at every scale."""
    random = np.random.default_rng(3)
    made = []
    for number in range(count):
        shape = [(144, 216, 3), (216, 144, 3), (99, 176, 3), (50, 40, 3)][number % 4]
        coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        enlarged = np.kron(coarse, np.ones((36, 36, 1), np.uint8))[: shape[0], : shape[1]]
        noise = random.integers(0, 40, enlarged.shape, dtype=np.uint8)
        made.append(make_photo(cls, np.minimum(enlarged, 215) + noise).image)
    return made


def vectors(
    settings: ClipSettings, models: Mapping[str, Path], images: list[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.float32]:
    analyzer = ClipAnalyzer.configured(settings)(settings, models)
    analyzer.load("cpu")
    findings = analyzer.analyze([make_photo(ClipAnalyzer.configured(settings), image) for image in images])
    analyzer.close()
    return np.stack([each.vectors[0].values for each in findings if isinstance(each, Finding)])


def least_agreement(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The least cosine of two rows, as they are and after the mean vector of each side is subtracted."""
    centred = [rows - rows.mean(axis=0) for rows in (one, other)]
    plain = (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    left, right = centred
    apart = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    return float(plain.min()), float(apart.min())


@pytest.mark.parametrize("model", BACKENDS)
def test_a_backend_keeps_the_contract(models: Mapping[str, Path], settings_of: SettingsOf, model: str) -> None:
    settings = settings_of(model)
    outcomes = check_analyzer(ClipAnalyzer, settings=settings, model_dirs=models)
    black, white = outcomes["a black photo"], outcomes["a white photo"]
    assert black.vectors[0].space == f"clip:{model}"  # type: ignore[union-attr]
    assert black.vectors[0].data != white.vectors[0].data  # type: ignore[union-attr]


def test_both_backends_give_a_photo_the_same_vector(models: Mapping[str, Path], settings_of: SettingsOf) -> None:
    images = photos(24, ClipAnalyzer.configured(settings_of("small")))
    plain, centred = least_agreement(*(vectors(settings_of(model), models, images) for model in BACKENDS))
    assert plain >= 0.999
    assert centred >= 0.999


def test_both_backends_give_a_text_the_same_vector(models: Mapping[str, Path], settings_of: SettingsOf) -> None:
    rows = []
    for model in BACKENDS:
        settings = settings_of(model)
        encoder = ClipQueryEncoder.configured(settings)(settings, models)
        encoder.load("cpu")
        rows.append(encoder.encode_texts(TEXTS))
    plain, centred = least_agreement(*rows)
    assert plain >= 0.9999
    assert centred >= 0.999


@pytest.mark.parametrize("model", BACKENDS)
def test_texts_and_photos_agree_with_openclip_itself(
    models: Mapping[str, Path], settings_of: SettingsOf, model: str
) -> None:
    from imgd_clip.tokens import wording
    from imgd_clip.torch_import import import_open_clip, import_torch
    from PIL import Image

    torch, open_clip = import_torch(), import_open_clip()
    reference = open_clip.create_model(f"local-dir:{models['small-torch']}").eval()
    tokens = open_clip.SimpleTokenizer()([wording("a photo of {}", text) for text in TEXTS])
    images = photos(8, ClipAnalyzer.configured(settings_of("small")))
    prepare = open_clip.image_transform(96, is_train=False)
    with torch.inference_mode():
        texts = torch.nn.functional.normalize(reference.encode_text(tokens), dim=-1).numpy()
        batch = torch.stack([prepare(Image.fromarray(image)) for image in images])
        pictures = torch.nn.functional.normalize(reference.encode_image(batch), dim=-1).numpy()
    settings = settings_of(model)
    encoder = ClipQueryEncoder.configured(settings)(settings, models)
    encoder.load("cpu")
    assert (encoder.encode_texts(TEXTS) * texts).sum(axis=1).min() >= 0.9999
    assert (vectors(settings_of(model), models, images) * pictures).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_near_the_full_one(
    models: Mapping[str, Path], settings_of: SettingsOf, precision: str
) -> None:
    from imgd_clip.towers import open_image_tower, open_text_tower
    from imgd_clip.traits import traits_of

    images = photos(8, ClipAnalyzer.configured(settings_of("small")))
    rows = []
    for each in ("fp32", precision):
        settings = settings_of("small-torch", precision=each)
        tower = open_image_tower(settings, traits_of(settings), models, "cpu")
        texts = open_text_tower(settings, traits_of(settings), models, "cpu").encode(TEXTS)
        rows.append(np.concatenate([tower.finish(tower.begin(images)), texts]))
        tower.close()
    assert (rows[0] * rows[1]).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize("model", BACKENDS)
def test_two_batches_may_be_under_way(models: Mapping[str, Path], settings_of: SettingsOf, model: str) -> None:
    settings = settings_of(model)
    declared = ClipAnalyzer.configured(settings)
    analyzer = declared(settings, models)
    analyzer.load("cpu")
    inputs = [make_photo(declared, image) for image in photos(9, declared)]
    alone = [analyzer.analyze([each])[0] for each in inputs]
    first, second = analyzer.begin(inputs[:5]), analyzer.begin(inputs[5:])
    together = [*analyzer.finish(first), *analyzer.finish(second)]
    analyzer.close()
    for one, other in zip(alone, together, strict=True):
        assert isinstance(one, Finding)
        assert isinstance(other, Finding)
        assert float(one.vectors[0].values @ other.vectors[0].values) >= 0.9999
    assert analyzer.memory_mb > 0
    assert analyzer.photo_mb > 0


LATER_KIND: dict[str, Any] = {
    "embed_dim": 192,
    "custom_text": True,
    "init_logit_bias": -10,
    "vision_cfg": {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_model_pretrained": False,
        "timm_pool": "token",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 1,
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
    },
}
"""As SigLIP is built: an image tower of timm, photos squeezed into a square, words without case or punctuation."""


def test_models_of_siglips_kind_agree_with_openclip_on_both_backends(
    write_torch_model: Callable[..., Path], tmp_path: Path
) -> None:
    from imgd_clip.directory import ModelDirectory
    from imgd_clip.export import export
    from imgd_clip.tokens import wording
    from imgd_clip.torch_import import import_open_clip, import_torch
    from imgd_clip.traits import traits_of
    from PIL import Image

    preparation = {"size": [224, 224], "mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
    directory = write_torch_model(tmp_path / "later", LATER_KIND, preparation)
    settings = [
        ClipSettings(model=name, image_size=224, dimensions=192, threads=1) for name in ("later", "later-onnx")
    ]
    export(ModelDirectory.find(directory, traits_of(settings[0])), tmp_path / "later-onnx")
    torch, open_clip = import_torch(), import_open_clip()
    reference = open_clip.create_model(f"local-dir:{directory}").eval()
    tokenizer = open_clip.SimpleTokenizer(context_length=16, clean="canonicalize")
    images = photos(4, ClipAnalyzer.configured(settings[0]))
    prepare = open_clip.image_transform(224, False, (0.5,) * 3, (0.5,) * 3, resize_mode="squash")
    with torch.inference_mode():
        pictures = reference.encode_image(torch.stack([prepare(Image.fromarray(each)) for each in images]))
        pictures = torch.nn.functional.normalize(pictures, dim=-1).numpy()
        texts = reference.encode_text(tokenizer([wording("a photo of {}", text) for text in TEXTS]))
        texts = torch.nn.functional.normalize(texts, dim=-1).numpy()
    for each in settings:
        models = {each.model: tmp_path / each.model}
        encoder = ClipQueryEncoder.configured(each)(each, models)
        encoder.load("cpu")
        assert (vectors(each, models, images) * pictures).sum(axis=1).min() >= 0.999
        assert (encoder.encode_texts(TEXTS) * texts).sum(axis=1).min() >= 0.9999
