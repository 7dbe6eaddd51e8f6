"""The built-in analyzer `preview`: a small JPEG of each photo, in the cache."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from imgd.analyzer import Analyzer
from imgd.domain import Failure, Finding, Needs, PhotoInput
from imgd.errors import CacheUnwritableError, DiskFullError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class PreviewSettings:
    """`quality`: of the JPEG, from 1 to 95."""

    quality: Annotated[int, Meta(ge=1, le=95)] = 82


def preview_path(previews: Path, photo_id: int) -> Path:
    """Where the preview of a photo is, below the directory `previews`: `ab/cd/ID.jpg`.

    The folders are the last four hexadecimal digits of the id, so that consecutive ids fill 65,536 folders evenly.
    """
    shard = f"{photo_id & 0xFFFF:04x}"
    return previews / shard[:2] / shard[2:] / f"{photo_id}.jpg"


class Preview(Analyzer[PreviewSettings]):
    """A JPEG of 512 px, readable by its owner alone. A WebP would cost four times the time."""

    name = "preview"
    version = "1"
    needs = Needs(edge=512)
    settings_type = PreviewSettings
    needs_original = True
    wants_cache_dir = True

    def analyze(self, photos: Sequence[PhotoInput]) -> Sequence[Finding | Failure]:
        """Raises DiskFullError, with nothing half-written left, when the cache's disk is full."""
        return [self._write(photo) for photo in photos]

    def take_over(self, twin_id: int, photo_id: int) -> bool:
        """Give a photo the preview of another one whose file is the same; whether that could be done."""
        try:
            write_private(
                preview_path(self.cache_dir, photo_id), preview_path(self.cache_dir, twin_id).read_bytes()
            )
        except (OSError, DiskFullError, CacheUnwritableError):
            return False
        return True

    def _write(self, photo: PhotoInput) -> Finding:
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(photo.image).save(buffer, "JPEG", quality=self.settings.quality, subsampling="4:2:0")
        content = buffer.getvalue()
        write_private(preview_path(self.cache_dir, photo.photo_id), content)
        height, width = photo.image.shape[:2]
        return Finding(facts={"width": width, "height": height, "bytes": len(content)})


def write_private(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step, with mode 0600, and make its folders with mode 0700.

    Not synced: a preview that a power cut loses is made again.

    Raises:
        DiskFullError: the disk, or the user's quota, is full; nothing of the new content is left.
        CacheUnwritableError: nothing may be written there.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        try:
            descriptor = _create(temporary)
        except FileNotFoundError:
            _make_folders(path.parent)
            descriptor = _create(temporary)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            temporary.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(f"no room for a preview in {path.parent}") from error
        if error.errno in _UNWRITABLE:
            raise CacheUnwritableError(f"{path.parent}: {error.strerror}") from error
        raise


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _make_folders(folder: Path) -> None:
    """As `mkdir(parents=True)`, which would make the parents with the default mode."""
    if not folder.parent.is_dir():
        _make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
