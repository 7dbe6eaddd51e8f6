"""The analyzer `faces`: where faces are in a photo, how good each is, and whom it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Final, Self

from imgd import Analyzer, Device, Failure, Finding, Needs, PhotoInput, Vector
from imgd_faces.packs import PACKS
from imgd_faces.settings import FaceSettings

if TYPE_CHECKING:
    from imgd_faces.face import Face, FaceFinder

_DEFAULTS: Final = FaceSettings()


class FaceAnalyzer(Analyzer[FaceSettings]):
    """Faces as regions with landmarks and quality, each with a vector, and their number as the fact `faces`.

    A photo's finding is the same whatever batch it comes in: every photo goes through the networks by itself, on
    as many threads as the settings allow. Regions are in the order of their scores, the most certain face first.
    """

    name = "faces"
    version = "1"
    needs = Needs(edge=_DEFAULTS.edge)
    device = Device.MODEL
    batch_size = 16
    facts: ClassVar[Mapping[str, type]] = {"faces": int}
    requires = (_DEFAULTS.model,)
    settings_type = FaceSettings
    code_settings = frozenset({"threads"})

    @classmethod
    def configured(cls, settings: FaceSettings) -> type[Self]:
        """The pack and `threads` decide how much memory it takes, and `detection_edge` how much a photo."""
        pack = PACKS[settings.model]
        return cls.declared(
            requires=(pack.model.name,),
            needs=Needs(edge=settings.edge),
            memory_mb=pack.memory_mb + pack.thread_mb * settings.thread_count,
            photo_mb=pack.photo_mb * max(1.0, settings.detection_edge / _DEFAULTS.detection_edge) ** 2,
            packages={"dlib": "imgd-faces[dlib]"} if pack.dlib else {},
        )

    def load(self, device: str) -> None:
        """Load the pack that the settings name; dlib's runs on the CPU whatever `device` is."""
        import cv2

        cv2.setNumThreads(1)  # the threads are ours: OpenCV's own would only contend with them
        self._space = PACKS[self.settings.model].space
        self._finder = self._load_finder(device)
        self.runtime = self._finder.runtime
        self._threads = ThreadPoolExecutor(self.settings.thread_count, thread_name_prefix="faces")

    def begin(self, photos: Sequence[PhotoInput]) -> list[Future[Finding]]:
        return [self._threads.submit(self._look, photo) for photo in photos]

    def finish(self, begun: list[Future[Finding]]) -> Sequence[Finding | Failure]:
        return [looking.result() for looking in begun]

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        return self.finish(self.begin(photos))

    def close(self) -> None:
        self._threads.shutdown()

    def _load_finder(self, device: str) -> FaceFinder:
        pack = PACKS[self.settings.model]
        directory = self.model_dirs[pack.model.name]
        if not pack.dlib:
            from imgd_faces.insightface import InsightFaces

            return InsightFaces(pack, directory, self.settings, device)
        from imgd_faces.dlib_faces import DlibFaces

        return DlibFaces(pack, directory, self.settings)

    def _look(self, photo: PhotoInput) -> Finding:
        faces: Sequence[Face] = self._finder.find(photo.image)
        height, width = photo.image.shape[:2]
        return Finding(
            facts={"faces": len(faces)},
            regions=[face.region(width, height) for face in faces],
            vectors=[Vector(self._space, face.vector, region) for region, face in enumerate(faces)],
        )
