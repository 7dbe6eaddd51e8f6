"""What can be wrong with a captioning model, told with what to do about it."""

from __future__ import annotations

from imgd import ImgdError


class CaptionModelError(ImgdError):
    """Photos cannot be captioned."""

    hint = "plugins/imgd-caption/README.md says which models serve, and what they need."

    def __str__(self) -> str:
        return f"{self.detail}. {self.advice}"
