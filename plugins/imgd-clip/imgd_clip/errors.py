"""What can be wrong with a model, told with what to do about it."""

from __future__ import annotations

from imgd import ImgdError


class ClipModelError(ImgdError):
    """A CLIP model cannot be used."""

    hint = "plugins/imgd-clip/README.md has the layout of a model and the models there are."

    def __str__(self) -> str:
        return f"{self.detail}. {self.advice}"
