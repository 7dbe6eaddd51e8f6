"""Which kinds of objects the detector knows, and how sure it must be of one for it to be counted."""

from __future__ import annotations

from collections.abc import Mapping

OBJECTS = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes of COCO that have boxes (Lin et al. 2014), as the model's labels spell them."""

COUNTED_FROM = 0.45
"""The score from which one threshold for all classes counts best."""

MEASURED: Mapping[str, float] = {
    "person": 0.43, "bicycle": 0.44, "car": 0.46, "truck": 0.47, "boat": 0.46, "bird": 0.4, "handbag": 0.49,
    "tie": 0.43, "suitcase": 0.44, "surfboard": 0.43, "bottle": 0.44, "wine glass": 0.35, "cup": 0.44,
    "fork": 0.39, "knife": 0.4, "bowl": 0.46, "broccoli": 0.41, "chair": 0.48, "potted plant": 0.49, "tv": 0.46,
    "remote": 0.41, "cell phone": 0.46, "microwave": 0.41, "book": 0.48, "clock": 0.41, "vase": 0.44,
}  # fmt: skip
"""The score from which a class is counted best: the threshold of the best F1 of its counts, drawn towards
`COUNTED_FROM` as if five more photos said that: t = (n t_class + 5 x 0.45) / (n + 5) for a class that n photos
have. Only classes that two photos or more have, and whose t is not 0.45 anyhow.

From the 57 photos of the benchmark corpus whose objects are annotated (COCO val2017), by
`python bench/objects.py --fit`. They are few: on photos that these were not fitted on, they are no better than
0.45 for all beyond chance. README.md has the figures.
"""


def counting_thresholds(counted_from: float, own: Mapping[str, float]) -> dict[str, float]:
    """The least score of each class that is counted: its `own`, else `counted_from`, from which measured classes
    differ as they differ from `COUNTED_FROM`."""
    moved = {name: counted_from + MEASURED.get(name, COUNTED_FROM) - COUNTED_FROM for name in OBJECTS}
    return {name: min(1.0, max(0.0, value)) for name, value in moved.items()} | dict(own)
