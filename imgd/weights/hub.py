"""Fetching a file of a model hub, and what the hub itself says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imgd.errors import ModelPullError
from imgd.weights.files import disk_full_named, file_sha256, git_object, private_directory
from imgd.weights.sources import HubSource

_COMMIT = re.compile(r"[0-9a-f]{40}")
_LFS, _GIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubRecord:
    """A file as the hub's repository has it. `digest`: of an LFS file the sha256 of its content, of another the
    name of its git object."""

    digest: str
    size_bytes: int

    def is_of(self, path: Path) -> bool:
        """Whether `path` holds what the repository has."""
        if path.stat().st_size != self.size_bytes:
            return False
        found = file_sha256(path) if _LFS.fullmatch(self.digest) else git_object(path)
        return found == self.digest


def look_up(source: HubSource) -> HubRecord:
    """What the hub says of the file at the source's revision.

    Raises:
        ModelPullError: the hub cannot be reached or does not have the file; the revision is no commit, or the hub
            answers for another one; or it says nothing that the content could be checked against.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    where = f"{source.repository}@{source.revision}: {source.path}"
    if not _COMMIT.fullmatch(source.revision):
        raise ModelPullError(f"{where}: only the full hash of a commit pins a file whose sha256 is not known")
    with _hub_errors_named(where):
        found = get_hf_file_metadata(hf_hub_url(source.repository, source.path, revision=source.revision))
    if found.commit_hash != source.revision:
        raise ModelPullError(f"{where}: the hub answers for {found.commit_hash}")
    digest = found.etag or ""
    if found.size is None or not (_LFS.fullmatch(digest) or _GIT.fullmatch(digest)):
        raise ModelPullError(f"{where}: the hub does not say what the file should be")
    return HubRecord(digest, found.size)


def download(source: HubSource, directory: Path) -> Path:
    """The file, below `directory`; what an interrupted download left there is continued.

    Raises:
        ModelPullError: the hub cannot be reached or does not have the file.
        DiskFullError: there is no room for it.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    target = private_directory(directory) / source.repository.replace("/", "--")
    with _hub_errors_named(f"{source.repository}@{source.revision}: {source.path}"), disk_full_named(target):
        return Path(
            hf_hub_download(source.repository, source.path, revision=source.revision, local_dir=str(target))
        )


@contextmanager
def _hub_errors_named(where: str) -> Iterator[None]:
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # A failed connection is an error of the HTTP library below, which one differs; the hub's own descends from it.
    known: list[type[Exception]] = [LocalEntryNotFoundError, OSError, ValueError]
    known += [each for each in HfHubHTTPError.__mro__ if issubclass(each, Exception) and each is not Exception]
    try:
        yield
    except tuple(known) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelPullError(f"{where}: {reason}") from error
