"""The analyzer `clip`: the CLIP vector of each photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Vector
from imgd_clip.settings import ClipSettings
from imgd_clip.traits import traits_of

if TYPE_CHECKING:
    from imgd_clip.towers import ImageTower


class ClipAnalyzer(Analyzer[ClipSettings]):
    """What a photo looks like, as a vector that words and other photos are compared with.

    The batch after the one that is computed is prepared meanwhile. A photo's vector does not depend on its batch.
    """

    name = "clip"
    version = "1"
    needs = Needs(edge=400)
    device = Device.MODEL
    batch_size = 64
    settings_type = ClipSettings
    code_settings = frozenset({"backend", "batch_size", "threads", "prompt"})

    _tower: ImageTower | None = None

    @classmethod
    def configured(cls, settings: ClipSettings) -> type[Self]:
        """By the model's name.

        Raises:
            ClipModelError: nothing is known of such a model.
        """
        traits = traits_of(settings)
        return cls.declared(
            requires=(traits.model,),
            packages=traits.packages,
            needs=Needs(edge=traits.edge_px),
            memory_mb=traits.image_mb,
            batch_size=settings.batch_size,
        )

    def load(self, device: str) -> None:
        """Load the image tower. A folder whose text tower lacks a part is told of here, where people look, and not
        only by their searches."""
        from imgd_clip.towers import check_text_tower, open_image_tower

        self._traits = traits_of(self.settings)
        check_text_tower(self.settings, self._traits, self.model_dirs)
        tower = self._tower = open_image_tower(self.settings, self._traits, self.model_dirs, device)
        self.memory_mb = tower.memory_mb
        self.photo_mb = tower.photo_mb
        self.runtime = tower.runtime

    def begin(self, photos: Sequence[PhotoInput]) -> Any:
        return self._loaded().begin([photo.image for photo in photos])

    def finish(self, begun: Any) -> Sequence[Finding | Failure]:
        rows = self._loaded().finish(begun)
        return [Finding(vectors=(Vector(self._traits.space, row),)) for row in rows]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        if self._tower is not None:
            self._tower.close()

    def _loaded(self) -> ImageTower:
        if self._tower is None:
            raise RuntimeError("`load` comes before the first photo")
        return self._tower
