"""The query encoder of the CLIP space: words by the text tower, photos by the image tower, loaded when wanted."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Self

from imgd import PhotoInput, QueryEncoder
from imgd_clip.settings import ClipSettings
from imgd_clip.traits import Traits, traits_of, traits_of_space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imgd_clip.towers import ImageTower, TextTower


class ClipQueryEncoder(QueryEncoder[ClipSettings]):
    """Words and photos -> the space that `ClipAnalyzer` fills with the same settings.

    Its process for words opens no file of the image tower, and that for photos none of the text tower.
    """

    name = "clip"
    space = "clip:ViT-B-32/laion2b-s34b-b79k"
    dimensions = 512
    edge = 400
    background_texts = tuple(files("imgd_clip").joinpath("background.txt").read_text("utf-8").split("\n")[:-1])
    analyzer = "clip"

    _texts: TextTower | None = None
    _photos: ImageTower | None = None
    _device = "cpu"

    @classmethod
    def configured(cls, settings: ClipSettings) -> type[Self]:
        """By the model's name.

        Raises:
            ClipModelError: nothing is known of such a model.
        """
        return cls._of(traits_of(settings))

    @classmethod
    def for_space(cls, space: str, settings: ClipSettings) -> type[Self] | None:
        """The encoder of the model that `space` names."""
        traits = traits_of_space(space, settings)
        return None if traits is None else cls._of(traits)

    @classmethod
    def _of(cls, traits: Traits) -> type[Self]:
        attributes: dict[str, Any] = {} if traits.has_texts else {"words": False, "background_texts": ()}
        return cls.declared(
            space=traits.space,
            dimensions=traits.dimensions,
            requires=(traits.model,),
            packages=traits.packages,
            edge=traits.edge_px,
            **attributes,
        )

    def load(self, device: str) -> None:
        """Load nothing yet: which tower is wanted shows with the first request."""
        self._device = device

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        from imgd_clip.tokens import wording
        from imgd_clip.towers import open_text_tower

        traits = self._traits()
        if self._texts is None:
            self._texts = open_text_tower(self.settings, traits, self.model_dirs, self._device)
        prompt = traits.prompt if self.settings.prompt == "auto" else self.settings.prompt
        return self._texts.encode([wording(prompt, text) for text in texts])

    def encode_photos(self, photos: Sequence[PhotoInput]) -> npt.NDArray[np.float32]:
        from imgd_clip.towers import open_image_tower

        if self._photos is None:
            self._photos = open_image_tower(self.settings, self._traits(), self.model_dirs, self._device)
        return self._photos.finish(self._photos.begin([photo.image for photo in photos]))

    def close(self) -> None:
        if self._photos is not None:
            self._photos.close()

    def _traits(self) -> Traits:
        """Those of the model that this space is of, be it an earlier one of the settings."""
        current = traits_of(self.settings)
        former = None if current.space == self.space else traits_of_space(self.space, self.settings)
        return former or current
