"""The analyzer `caption`: a sentence about each photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Final, Self

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Text
from imgd_caption.models import BLIP_BASE, BLIP_LARGE
from imgd_caption.settings import EXTRA, CaptionSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Preparing = list[Future[npt.NDArray[np.float32]]]

EDGE_PX: Final = 512
"""The model sees 384 x 384 pixels. A photo of 3:2 has 512 x 341 at this edge, and 384 x 384 are squeezed out of
them; with more, those that were analyzed before could not be captioned by their cached previews."""

_WEIGHTS_MB: Final = {BLIP_BASE.name: 990.0, BLIP_LARGE.name: 1880.0}
_UNKNOWN_MB: Final = 1880.0
_LIBRARIES_MB: Final = 500.0
"""PyTorch and transformers themselves, or a CUDA context."""
_PHOTO_MB: Final = 40.0
_BEAM_MB: Final = 50.0
"""In fp32: what the picture encoder takes for a photo, and the keys and values of 577 patches in the 12 layers of
the text decoder for each beam (2 * 12 * 577 * 768 * 4 bytes = 43 MB, and scores)."""


class CaptionAnalyzer(Analyzer[CaptionSettings]):
    """What a photo shows, as one English sentence, found by its words and by its meaning.

    The same photo gets the same caption: words are never drawn by chance. In fp32 that holds in every batch; in
    half precision sums are rounded as the size of the batch has it, which may decide between two words that are as
    likely.
    """

    name = "caption"
    version = "1"
    needs = Needs(edge=EDGE_PX)
    device = Device.MODEL
    batch_size = CaptionSettings().batch_size
    requires = (BLIP_BASE.name,)
    packages: ClassVar[Mapping[str, str]] = {"torch": EXTRA, "transformers": EXTRA}
    settings_type = CaptionSettings
    code_settings = frozenset({"batch_size", "threads"})

    @classmethod
    def configured(cls, settings: CaptionSettings) -> type[Self]:
        """As much memory as fp32 takes: which device it will be, and so which precision, is not known yet."""
        return cls.declared(
            requires=(settings.model,),
            batch_size=settings.batch_size,
            memory_mb=_WEIGHTS_MB.get(settings.model, _UNKNOWN_MB) + _LIBRARIES_MB,
            photo_mb=_PHOTO_MB + _BEAM_MB * settings.beams,
        )

    def load(self, device: str) -> None:
        """Import PyTorch, and load the model to `device`.

        Raises:
            CaptionModelError: what it needs is not installed, or the model is no BLIP that can be loaded.
        """
        from imgd_caption.captioner import Captioner
        from imgd_caption.pictures import Preprocessing

        directory = self.model_dirs[self.settings.model]
        self._captioner = Captioner(directory, self.settings, device)
        self.runtime = self._captioner.runtime
        self._preprocessing = Preprocessing.read(directory)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="caption")
        share = self._captioner.bytes_a_number / 4
        self.memory_mb = self._captioner.parameters * self._captioner.bytes_a_number / 1e6 + _LIBRARIES_MB
        self.photo_mb = (_PHOTO_MB + _BEAM_MB * self.settings.beams) * share

    def begin(self, photos: Sequence[PhotoInput]) -> Preparing:
        """Squeeze photos to the model's size, on threads of its own, while the model works on the batch before."""
        return [self._threads.submit(self._preprocessing.apply, photo.image) for photo in photos]

    def finish(self, begun: Preparing) -> Sequence[Finding | Failure]:
        import numpy as np

        from imgd_caption.wording import clean_caption

        if not begun:
            return []
        said = self._captioner.caption(np.stack([each.result() for each in begun]))
        return [_finding(clean_caption(each)) for each in said]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        self._threads.shutdown()


def _finding(caption: str) -> Finding:
    return Finding(texts=[Text("caption", caption)] if caption else [])
