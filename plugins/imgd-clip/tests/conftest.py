"""Models of OpenCLIP's own architectures with random weights, in both layouts, made once a session; and the real
image tower where the model store has it (IMGD_TEST_MODELS=DIR, or the user's own)."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from imgd_clip.models import IMAGES_ONLY
from imgd_clip.settings import ClipSettings
from PIL import Image

from imgd import PhotoInput
from imgd.config import ModelSettings, PathSettings
from imgd.errors import ModelPullError
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 96, "layers": 2, "width": 128, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
"""A vision transformer and a text transformer of CLIP, small."""


def _write_torch_model(directory: Path, config: dict[str, Any], preprocess: dict[str, Any] | None = None) -> Path:
    """A model with random weights, as OpenCLIP saves to a hub; skips where PyTorch is not here."""
    if importlib.util.find_spec("open_clip") is None:
        pytest.skip("open_clip_torch is not installed (imgd-clip[torch])")
    from imgd_clip.torch_import import import_open_clip, import_torch
    from safetensors.torch import save_file

    torch, open_clip = import_torch(), import_open_clip()
    torch.manual_seed(0)
    model = (open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP)(
        **{key: value for key, value in config.items() if key != "custom_text"}
    )
    directory.mkdir(parents=True)
    state = {name: each.clone().contiguous() for name, each in model.state_dict().items()}
    save_file(state, directory / "open_clip_model.safetensors")
    text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess or {}})
    (directory / "open_clip_config.json").write_text(text)
    return directory


def _settings_of(model: str, **more: Any) -> ClipSettings:
    """Settings that name a model of `CONFIG`."""
    return ClipSettings(**{"model": model, "image_size": 96, "dimensions": 64, "threads": 1, **more})


@pytest.fixture(scope="session")
def torch_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_torch_model(tmp_path_factory.mktemp("models") / "small-torch", CONFIG)


@pytest.fixture(scope="session")
def onnx_model(torch_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model in the layout that photo servers share."""
    from imgd_clip.directory import ModelDirectory
    from imgd_clip.export import export
    from imgd_clip.traits import traits_of

    target = tmp_path_factory.mktemp("models") / "small"
    export(ModelDirectory.find(torch_model, traits_of(_settings_of("small-torch"))), target)
    return target


@pytest.fixture(scope="session")
def models(torch_model: Path, onnx_model: Path) -> Mapping[str, Path]:
    return {"small": onnx_model, "small-torch": torch_model}


@pytest.fixture(scope="session")
def real_images() -> Mapping[str, Path]:
    """The real image tower."""
    named = os.environ.get("IMGD_TEST_MODELS")
    root = Path(named).absolute() if named else PathSettings().models_dir
    model = IMAGES_ONLY.model
    store = ModelStore(root, Catalogue({model.name: model}))
    if named:
        try:
            pull(store, model, ModelSettings())
        except ModelPullError as error:
            if "(from versions: none)" not in error.detail:  # the index is there, and gives something else
                raise
            pytest.skip(f"the package index does not give the real image tower: {error.detail}")
    if store.status(model.name) is not ModelStatus.PRESENT:
        pytest.skip(f"`imgctl models pull {model.name}` has not fetched the real image tower")
    return {model.name: store.directory(model.name)}


def _photo_of(pixels: npt.NDArray[np.uint8], edge: int = 176) -> PhotoInput:
    """Pixels as a lane hands them over."""
    image = Image.fromarray(pixels).convert("RGB")
    width, height = image.size
    image.thumbnail((edge, edge), Image.Resampling.BICUBIC)
    small = np.asarray(image)
    small.flags.writeable = False
    return PhotoInput(1, "photo.jpg", "jpeg", width, height, small)


def _corpus_photos(count: int, edge: int = 400) -> list[npt.NDArray[np.uint8]]:
    """Real photos, at most `edge` px; skips where the corpus is not beside this checkout."""
    if not CORPUS.is_dir():
        pytest.skip("the corpus of real photos is not beside this checkout")
    found = []
    for path in sorted((CORPUS / "05_semantic").glob("*.jp*g"))[:count]:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
            image.thumbnail((edge, edge), Image.Resampling.BICUBIC)
            found.append(np.asarray(image))
    assert len(found) == count
    return found


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., ClipSettings]:
    """Settings that name a model of `CONFIG`."""
    return _settings_of


@pytest.fixture(scope="session")
def write_torch_model() -> Callable[..., Path]:
    """(directory, config, preprocess_cfg): a model with random weights, as OpenCLIP saves to a hub."""
    return _write_torch_model


@pytest.fixture(scope="session")
def small_config() -> dict[str, Any]:
    return CONFIG


@pytest.fixture(scope="session")
def photo_of() -> Callable[..., PhotoInput]:
    """Pixels as a lane hands them over."""
    return _photo_of


@pytest.fixture(scope="session")
def corpus_photos() -> Callable[..., list[npt.NDArray[np.uint8]]]:
    """(count, edge): real photos; skips where the corpus is not beside this checkout."""
    return _corpus_photos
