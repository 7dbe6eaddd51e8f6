"""What imgd has to know of a model before it is loaded, by its name: the main process opens no model file."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from imgd_clip.errors import ClipModelError
from imgd_clip.models import ENTRIES, PHOTO_PROMPT, PLAIN_PROMPT, TORCH_SUFFIX, Entry
from imgd_clip.settings import Backend, ClipSettings

_ASPECT: Final = 16 / 9
"""Photos of at most this proportion have a short edge of the model's size or more. The README says what the
smaller picture costs against the full one."""
_STEP_PX: Final = 8
_UNKNOWN_MB: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Traits:
    """`model`: its name in the store. `image_mb`: what the image tower takes of memory, without photos."""

    model: str
    space: str
    dimensions: int
    image_size: int
    image_mb: float
    backend: Backend = "auto"
    prompt: str = PHOTO_PROMPT
    has_texts: bool = True

    @property
    def packages(self) -> Mapping[str, str]:
        """What its backend imports that only an extra brings; nothing where the files decide about the backend."""
        extra = "imgd-clip[torch]"
        return {"torch": extra, "open_clip": extra, "safetensors": extra} if self.backend == "torch" else {}

    @property
    def edge_px(self) -> int:
        """The longest edge at which photos are looked at."""
        return -int(-self.image_size * _ASPECT // _STEP_PX) * _STEP_PX


def traits_of(settings: ClipSettings) -> Traits:
    """The traits of the model that `settings` name.

    Raises:
        ClipModelError: nothing tells its sizes.
    """
    found = _in_catalogue(settings) or _by_architecture(settings.model, settings.backend)
    if found is None:
        if not (settings.image_size and settings.dimensions):
            raise ClipModelError(
                f"nothing is known of a model {settings.model!r}", hint=_what_to_do(settings.model)
            )
        found = _own(settings)
    return dataclasses.replace(
        found,
        image_size=settings.image_size or found.image_size,
        dimensions=settings.dimensions or found.dimensions,
    )


def traits_of_space(space: str, settings: ClipSettings) -> Traits | None:
    """Those of the model that filled `space`, on the backend of `settings` where it has one there; None where
    nothing is known of it."""
    for entry in ENTRIES.values():
        if entry.space == space:
            name = entry.model.name.removesuffix(TORCH_SUFFIX)
            return _in_catalogue(ClipSettings(model=name, backend=settings.backend))
    kind, _, name = space.partition(":")
    architecture, _, weights = name.partition("/")
    if kind != "clip" or not weights:
        return None
    found = _by_architecture(f"{architecture}__{weights}", settings.backend)
    return found if found is not None and found.space == space else None


@cache
def architectures() -> Mapping[str, tuple[int, int]]:
    """OpenCLIP's architectures, in lower case: (dimensions, image size in pixels)."""
    text = files("imgd_clip").joinpath("architectures.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return {name.lower(): (int(dimensions), int(size)) for name, dimensions, size in rows}


def _in_catalogue(settings: ClipSettings) -> Traits | None:
    twin = ENTRIES.get(settings.model + TORCH_SUFFIX)
    entry = ENTRIES.get(settings.model)
    if settings.backend == "torch" and twin is not None:
        entry = twin
    if entry is None:
        return None
    if settings.backend not in ("auto", entry.backend):
        raise ClipModelError(
            f"{entry.model.name} has no files for the backend {settings.backend}",
            hint=f'Set `backend = "auto"`, or add {settings.backend} files of it with '
            f"`imgctl models add DIR --as {entry.model.name}-{settings.backend}` and name that as `model`.",
        )
    return _of_entry(entry)


def _of_entry(entry: Entry) -> Traits:
    return Traits(
        model=entry.model.name,
        space=entry.space,
        dimensions=entry.dimensions,
        image_size=entry.image_size,
        image_mb=entry.image_mb,
        backend=entry.backend,
        prompt=entry.prompt,
        has_texts=entry.has_texts,
    )


def _by_architecture(name: str, backend: Backend) -> Traits | None:
    """A model that was added, and is named ARCHITECTURE__WEIGHTS as OpenCLIP names both."""
    bare = name
    for ending in ("-torch", "-onnx"):
        bare = bare.removesuffix(ending)
    architecture, _, weights = bare.partition("__")
    known = architectures().get(architecture.lower())
    if known is None or not weights:
        return None
    dimensions, image_size = known
    return Traits(
        name,
        f"clip:{architecture}/{weights}",
        dimensions,
        image_size,
        _UNKNOWN_MB,
        backend,
        _prompt_of(architecture),
    )


def _own(settings: ClipSettings) -> Traits:
    return Traits(
        settings.model,
        f"clip:{settings.model}",
        settings.dimensions,
        settings.image_size,
        _UNKNOWN_MB,
        settings.backend,
    )


def _prompt_of(architecture: str) -> str:
    """English words before a query of another language only get in its way."""
    multilingual = ("xlm-roberta", "nllb", "i18n", "siglip2", "mt5")
    return PLAIN_PROMPT if any(each in architecture.lower() for each in multilingual) else PHOTO_PROMPT


def _what_to_do(name: str) -> str:
    near = difflib.get_close_matches(name, ENTRIES, n=2, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return (
        f"{meant}`imgctl models list` shows the models there are. One that you add yourself is best named as"
        " OpenCLIP names it (ViT-L-14__laion2b_s32b_b82k); else set `image_size` and `dimensions` in"
        " [analyzers.clip]."
    )
