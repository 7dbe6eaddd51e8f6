"""Photos reach the model exactly as transformers' own processor would hand them over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imgd_caption.errors import CaptionModelError
from imgd_caption.pictures import Preprocessing
from PIL import Image
from sample_photos import CORPUS


def real_photos() -> list[np.ndarray]:
    """(h, w, 3) uint8, at most 512 px, of many shapes."""
    data = pytest.importorskip("skimage.data", reason="the sample photos come with scikit-image")
    folder = Path(data.__file__).parent
    paths = [folder / name for name in ("chelsea.png", "rocket.jpg", "coffee.png", "astronaut.png")]
    paths += sorted((CORPUS / "05_semantic").glob("*.jp*g"))[::20] if CORPUS.is_dir() else []
    photos = []
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((512, 512))
            photos.append(np.asarray(small))
    return photos


@pytest.mark.parametrize(
    "config",
    [
        {},
        {
            "size": {"height": 384, "width": 384},
            "resample": 3,
            "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2] * 3,
        },
        {"size": {"height": 64, "width": 96}, "resample": 2, "do_normalize": False},
        {"do_rescale": True, "rescale_factor": 0.01},
    ],
)
def test_real_photos_are_prepared_as_transformers_does(config: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'imgd-caption[torch]'")
    from imgd_caption.libraries import import_transformers

    _torch, transformers = import_transformers()
    processor = transformers.BlipImageProcessorPil(**config)
    processor.save_pretrained(tmp_path)
    preprocessing = Preprocessing.read(tmp_path)
    for photo in real_photos():
        theirs = processor(Image.fromarray(photo), return_tensors="np")["pixel_values"][0]
        ours = preprocessing.apply(photo)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_the_file_of_the_published_models_is_understood(tmp_path: Path) -> None:
    published = {
        "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "BlipImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711], "processor_class": "BlipProcessor",
        "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"height": 384, "width": 384},
    }  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(published))
    assert Preprocessing.read(tmp_path) == Preprocessing()
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**published, "size": 384}))
    assert Preprocessing.read(tmp_path) == Preprocessing()


@pytest.mark.parametrize("content", [None, "{", "[]", '{"size": {"shortest_edge": 384}}', '{"image_mean": 1}'])
def test_what_is_no_such_file_is_told(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "preprocessor_config.json").write_text(content)
    with pytest.raises(CaptionModelError, match=r"preprocessor_config\.json of the model cannot be read"):
        Preprocessing.read(tmp_path)
