"""The catalogue entries of the captioning models: directories as transformers saves them, at pinned revisions."""

from __future__ import annotations

from typing import Final

from imgd import Model, ModelFile

_BASE: Final = "hub:Salesforce/blip-image-captioning-base@82a37760796d32b1411fe092ab5d4e227313294b"
_LARGE: Final = "hub:Salesforce/blip-image-captioning-large@2227ac38c9f16105cb0412e7cab4759978a8fd90"


def _base(name: str, size_bytes: int, sha256: str) -> ModelFile:
    return ModelFile(name, sha256, size_bytes, (f"{_BASE}:{name}",))


def _large(name: str, about_bytes: int) -> ModelFile:
    """Without a sha256: the file is checked against what the hub says of it at that revision."""
    return ModelFile(name, "", about_bytes, (f"{_LARGE}:{name}",))


BLIP_BASE: Final = Model(
    name="blip-base",
    title="BLIP captions, ViT-B/16 (384 px, 247 M parameters)",
    licence="BSD-3-Clause",
    files=(
        _base("config.json", 4_563, "f7846f82f4e2c4a2ccbab9ae8b0e44873540a271a76a1288effd078180c13a82"),
        _base("preprocessor_config.json", 287, "065c10ec97edc5081fbd9655b3d9d25e2647ea6d5dab873325e88eed12d80a7d"),
        # A pickle: the repository has no other. It is read with `weights_only`, which runs nothing that is in it.
        _base(
            "pytorch_model.bin", 989_820_849, "d6638651a5526cc2ede56f2b5104d6851b0755816d220e5e046870430180c767"
        ),
        _base("special_tokens_map.json", 125, "b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3"),
        _base("tokenizer.json", 711_396, "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"),
        _base("tokenizer_config.json", 506, "5c7f96096284c55e539eff95f4451c19efc34258ddb975a4400d052b77301e5e"),
        _base("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    ),
    languages=("en",),
)

BLIP_LARGE: Final = Model(
    name="blip-large",
    title="BLIP captions, ViT-L/16 (384 px, 470 M parameters)",
    licence="BSD-3-Clause",
    files=(
        _large("config.json", 4_600),
        _large("preprocessor_config.json", 400),
        _large("model.safetensors", 1_880_000_000),
        _large("special_tokens_map.json", 125),
        _large("tokenizer.json", 711_396),
        _large("tokenizer_config.json", 530),
        _large("vocab.txt", 231_508),
    ),
    languages=("en",),
)

MODELS: Final = (BLIP_BASE, BLIP_LARGE)
