"""Fetching a file from a web address, over TLS."""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from imgd.errors import ModelPullError
from imgd.weights.sources import WebSource

_TIMEOUT_S = 30.0


@contextmanager
def opened(source: WebSource) -> Iterator[IO[bytes]]:
    """The file, as a stream; proxies and certificates are those of the environment. What breaks off begins anew:
    this is for files of some ten megabytes that neither a hub nor a wheel has.

    Raises:
        ModelPullError: it cannot be had, or the connection breaks while it is read.
    """
    try:
        answer = urllib.request.urlopen(source.url, timeout=_TIMEOUT_S)  # noqa: S310 - its form is https://
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the answer, and holds the connection
        raise _told(source, error) from error
    with answer:
        yield _Answer(source, answer)


class _Answer(io.RawIOBase, IO[bytes]):
    """What the address sends; errors of the connection are told apart from those of whoever reads."""

    def __init__(self, source: WebSource, answer: Any) -> None:
        super().__init__()
        self._source = source
        self._answer = answer

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._answer.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise _told(self._source, error) from error
        return data


def _told(source: WebSource, error: Exception) -> ModelPullError:
    return ModelPullError(f"{source.url}: {getattr(error, 'reason', None) or error}")
