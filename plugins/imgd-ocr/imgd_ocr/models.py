"""The catalogue entries of this plugin: recognition models of scripts that rapidocr does not carry in its wheel.

Addresses and sha256 are rapidocr 3.10's own (`default_models.yaml`), sizes are published with the same sha256. All
are PP-OCRv5 mobile models of PaddleOCR, converted to ONNX by RapidOCR; both are under Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from imgd import Model, ModelFile
from imgd_ocr.languages import languages_of

_HOME: Final = "https://www.modelscope.cn/models/RapidAI/RapidOCR/resolve/v3.10.0/onnx/PP-OCRv5/rec"


def _model(script: str, short: str, size_bytes: int, sha256: str) -> Model:
    file = f"{short}_PP-OCRv5_rec_mobile.onnx"
    return Model(
        name=f"ppocrv5-rec-{script}",
        title=f"PP-OCRv5 mobile, reads lines of {script.capitalize()} text",
        licence="Apache-2.0",
        files=(ModelFile(file, sha256, size_bytes, (f"{_HOME}/{file}",)),),
        languages=languages_of(script),
    )


RECOGNISERS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        script: _model(script, short, size_bytes, sha256)
        for script, short, size_bytes, sha256 in (
            ("korean", "korean", 13_488_748, "cd6e2ea50f6943ca7271eb8c56a877a5a90720b7047fe9c41a2e541a25773c9b"),
            ("eslav", "eslav", 7_911_802, "08705d6721849b1347d26187f15a5e362c431963a2a62bfff4feac578c489aab"),
            (
                "cyrillic",
                "cyrillic",
                8_074_092,
                "90f761b4bfcce0c8c561c0cb5c887b0971d3ec01c32164bdf7374a35b0982711",
            ),
            ("greek", "el", 7_832_350, "b4368bccd557123c702b7549fee6cd1e94b581337d1c9b65310f109131542b7f"),
            ("thai", "th", 7_915_294, "de541dd83161c241ff426f7ecfd602a0ba77d686cf3ab9a6c255ea82fd08006e"),
            ("arabic", "arabic", 8_023_828, "c1192e632d0baa9146ae5b756a0e635e3dc63c1733737ebfd1629e87144e9295"),
            (
                "devanagari",
                "devanagari",
                7_940_361,
                "d6f0a906580e3fa6b324a318718f1f31f268b6ea8ef985f91c2012a37f52c91e",
            ),
            ("tamil", "ta", 7_909_926, "a42448808b7dea87597336f12438935f40353f1949e8360acd9e06b4da21bfe1"),
            ("telugu", "te", 7_923_102, "a3690451b50028a09a3316a1274f7c05728151ea3f8fd392696397a7fefcbd92"),
        )
    }
)
"""Script -> its model."""


def required_models(scripts: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the catalogue models that these scripts need; none for the one that rapidocr carries."""
    return tuple(RECOGNISERS[script].name for script in scripts if script in RECOGNISERS)
