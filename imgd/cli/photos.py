"""A photo as a person names it on the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imgd.errors import PhotoUnknownError

if TYPE_CHECKING:
    from imgd.control.client import ControlClient
    from imgd.control.protocol import PhotoAnswer


def find_photo(client: ControlClient, name: str) -> PhotoAnswer:
    """The photo of this id or path; a bare number is an id unless a file here has that name.

    Raises:
        PhotoUnknownError: the daemon knows no such photo.
    """
    if name.isascii() and name.isdigit() and not os.path.lexists(name):
        return client.show(int(name))
    path = os.path.abspath(os.fsencode(name))
    try:
        return client.show(path)
    except PhotoUnknownError:
        real = os.path.realpath(path)  # the root may be known by another way to it
        if real == path:
            raise
        return client.show(real)
