"""The contact sheet: the hits of a search as one JPEG, with their names."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import click

from imgd.cli.terminal import printable
from imgd.cli.tiles import Tile, draw_grid
from imgd.errors import DiskFullError, SheetError

_MARK = b"contact sheet by imgd"
_SIDE_PX, _LABEL_PX, _GAP_PX = 256, 21, 8
_QUALITY = 88


def check_target(target: Path, roots: Iterable[str], *, force: bool) -> None:
    """Refuse, before any work is done, what no sheet may be written to.

    Raises:
        click.UsageError: it is no name of a JPEG, its folder is not there or is watched, or it is a file that is
            no contact sheet (`force` lets that one be replaced).
    """
    shown = printable(str(target))
    if target.suffix.lower() not in (".jpg", ".jpeg"):
        raise click.UsageError(f"A contact sheet is a JPEG: name it {shown}.jpg, say.")
    folder = Path(os.path.realpath(target.parent))
    if not folder.is_dir():
        raise click.UsageError(f"{printable(str(target.parent))} is no folder.")
    for root in roots:
        if folder.is_relative_to(os.path.realpath(root)):
            raise click.UsageError(
                f"{shown} is among your photos, in {printable(root)}: imgd writes nothing there."
            )
    if target.is_dir():
        raise click.UsageError(f"{shown} is a folder.")
    if os.path.lexists(target) and not force and not _is_sheet(target):
        raise click.UsageError(f"{shown} is there and is no contact sheet: replace it with --force.")


def write_sheet(target: Path, tiles: Sequence[Tile]) -> None:
    """Draw the tiles and put the sheet in its place, in one step.

    Raises:
        DiskFullError, SheetError: it cannot be written; what was there is still there.
    """
    columns = max(1, min(len(tiles), math.ceil(math.sqrt(len(tiles) * 1.3))))
    sheet = draw_grid(tiles, columns, _SIDE_PX, _LABEL_PX, _GAP_PX)
    try:
        descriptor, draft = tempfile.mkstemp(prefix=".", suffix=".jpg", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                sheet.save(file, "JPEG", quality=_QUALITY, comment=_MARK)
            Path(draft).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(draft).unlink()
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"no room for {target}", hint="Free some space, or name another place.") from error
        raise SheetError(f"{target}: {error.strerror or error}") from error


def _is_sheet(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path, formats=["JPEG"]) as picture:
            return picture.info.get("comment") == _MARK
    except (OSError, ValueError, SyntaxError):
        return False
