"""The two towers of a CLIP model as the analyzer and the query encoder use them, whatever computes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from imgd_clip.directory import ModelDirectory
from imgd_clip.errors import ClipModelError
from imgd_clip.preprocessing import Pixels, Values
from imgd_clip.settings import ClipSettings
from imgd_clip.traits import Traits

_EXTRA = "Install it with `imgctl plugins install 'imgd-clip[torch]'`, or take a model in the ONNX layout."


class ImageTower(Protocol):
    """Photos -> vectors. Two batches may be begun at once; they are finished in the order they were begun."""

    memory_mb: float
    """What the loaded tower takes of its device's memory."""
    photo_mb: float
    """What a photo of a batch adds to that."""
    runtime: str
    """What computes it, for people: `onnxruntime CUDAExecutionProvider`."""

    def begin(self, photos: Sequence[Pixels]) -> Any:
        """Start on RGB photos (h, w, 3) of any sizes, and return at once where a device does the work."""
        ...

    def finish(self, begun: Any) -> Values:
        """(n, dimensions) float32, each row L2-normalised, in the order of the photos."""
        ...

    def close(self) -> None:
        """Free what it took."""
        ...


class TextTower(Protocol):
    """Texts -> vectors."""

    def encode(self, texts: Sequence[str]) -> Values:
        """(len(texts), dimensions) float32, each row L2-normalised."""
        ...


def open_image_tower(
    settings: ClipSettings, traits: Traits, model_dirs: Mapping[str, Path], device: str
) -> ImageTower:
    """The image tower, loaded; nothing of the text tower is.

    Raises:
        ClipModelError: the model's directory cannot be used; the text says why and what to do.
    """
    directory = ModelDirectory.find(model_dirs[traits.model], traits, settings.backend)
    if directory.backend == "onnx":
        from imgd_clip.onnx_towers import OnnxImageTower

        return OnnxImageTower(directory, device, settings.thread_count)
    with _extra_named():
        from imgd_clip.torch_image import TorchImageTower

        return TorchImageTower(directory, device, settings)


def check_text_tower(settings: ClipSettings, traits: Traits, model_dirs: Mapping[str, Path]) -> None:
    """Whether a text tower that is there is whole, as far as names of files tell.

    Raises:
        ClipModelError: it is not; the text says what it lacks and what to do.
    """
    if traits.has_texts:
        ModelDirectory.find(model_dirs[traits.model], traits, settings.backend).check_texts()


def open_text_tower(
    settings: ClipSettings, traits: Traits, model_dirs: Mapping[str, Path], device: str
) -> TextTower:
    """The text tower, loaded; nothing of the image tower is.

    Raises:
        ClipModelError: as `open_image_tower`; or the model has no text tower.
    """
    if not traits.has_texts:
        raise ClipModelError(
            f"{traits.model} has no text tower",
            hint="It serves `like:` alone; for words set `model` in [analyzers.clip] to one with both towers.",
        )
    directory = ModelDirectory.find(model_dirs[traits.model], traits, settings.backend)
    if directory.backend == "onnx":
        from imgd_clip.onnx_towers import OnnxTextTower

        return OnnxTextTower(directory, device, settings.thread_count)
    with _extra_named():
        from imgd_clip.torch_text import TorchTextTower

        return TorchTextTower(directory, device, settings)


@contextmanager
def _extra_named() -> Iterator[None]:
    """Says which extra a missing package comes with."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ClipModelError(f"the backend torch needs {error.name}, which is not here", hint=_EXTRA) from error
