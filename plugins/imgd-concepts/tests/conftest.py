"""The real models: an already pulled store (IMGD_TEST_MODELS=DIR), the user's own, or pulled for this session."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from imgd_concepts.analyzer import ConceptAnalyzer
from imgd_concepts.models import MODELS
from imgd_concepts.query import ConceptQueryEncoder
from imgd_concepts.settings import ConceptSettings
from PIL import Image

from imgd import PhotoInput
from imgd.config import ModelSettings, PathSettings
from imgd.errors import ModelPullError
from imgd.weights.catalogue import Catalogue
from imgd.weights.pull import pull
from imgd.weights.store import ModelStatus, ModelStore

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="session")
def model_dirs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Directory of each model, by name."""
    catalogue = Catalogue({model.name: model for model in MODELS})
    named = os.environ.get("IMGD_TEST_MODELS")
    store = ModelStore(Path(named).absolute() if named else PathSettings().models_dir, catalogue)
    if not named and any(store.status(model.name) is not ModelStatus.PRESENT for model in MODELS):
        store = ModelStore(tmp_path_factory.mktemp("models"), catalogue)
    try:
        for model in MODELS:
            pull(store, model, ModelSettings())
    except ModelPullError as error:
        if "(from versions: none)" not in error.detail:  # the index is there, and gives something else
            raise
        pytest.skip(f"the models are not here and the package index does not give them: {error.detail}")
    return {model.name: store.directory(model.name) for model in MODELS}


@pytest.fixture(scope="session")
def analyzer(model_dirs: Mapping[str, Path]) -> Iterator[ConceptAnalyzer]:
    loaded = ConceptAnalyzer(ConceptSettings(threads=2), model_dirs)
    loaded.load("cpu")
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def encoder(model_dirs: Mapping[str, Path]) -> ConceptQueryEncoder:
    loaded = ConceptQueryEncoder(ConceptSettings(threads=2), model_dirs)
    loaded.load("cpu")
    return loaded


@pytest.fixture(scope="session")
def photo() -> Callable[[Pixels], PhotoInput]:
    """Pixels as the lane hands them over: at most 320 px, read-only."""

    def make(pixels: Pixels) -> PhotoInput:
        image = Image.fromarray(pixels).convert("RGB")
        width, height = image.size
        image.thumbnail((320, 320), Image.Resampling.BICUBIC)
        small = np.asarray(image)
        small.flags.writeable = False
        return PhotoInput(1, "photo.jpg", "jpeg", width, height, small)

    return make


@pytest.fixture(scope="session")
def sample(photo: Callable[[Pixels], PhotoInput]) -> Callable[[str], PhotoInput]:
    """A photograph that scikit-image carries, by file name."""
    data = pytest.importorskip("skimage.data", reason="the sample photos come with scikit-image")
    directory = Path(data.__file__).parent

    def read(name: str) -> PhotoInput:
        with Image.open(directory / name) as image:
            return photo(np.asarray(image.convert("RGB")))

    return read
