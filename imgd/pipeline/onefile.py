"""A child for a single file that a search names: one open, one decode, its pixels to the main process, and out.

It may be any file, so it is decoded under the bounds of a decode worker. Those bounds do not fit a process that
holds models (the address space of one with a GPU is larger than any bound), and such a process would live on with
whatever a hostile file did to it. A child of the nursery is there in milliseconds and has the decoders loaded.
"""

from __future__ import annotations

import socket

import numpy as np
import numpy.typing as npt

from imgd.decode import DecodeLimits, FormatRegistry, Source, allow_cpu, confine, decode, pyramid
from imgd.pipeline.channel import Channel, ChannelClosedError, MessageTooLargeError
from imgd.pipeline.hosted import describe_error, load_formats
from imgd.pipeline.messages import FileAnswer, FilePixels, FileSetup


def run(connection: socket.socket, _fds: list[int], setup: FileSetup) -> None:
    """Send the one answer."""
    channel: Channel[FileAnswer, FileAnswer] = Channel(connection, FileAnswer)
    limits = DecodeLimits.of(setup.decode)
    confine(limits)
    allow_cpu(limits.cpu_s)
    try:
        try:
            channel.send(_answer(setup, limits))
        except MessageTooLargeError:
            channel.send(FileAnswer(reason="the pixels that the encoder asks for are too many for one message"))
    except ChannelClosedError:
        pass


def _answer(setup: FileSetup, limits: DecodeLimits) -> FileAnswer:
    try:
        with Source.open(setup.path, limits.max_file_bytes) as source:
            # Decoded at another size first, or made from another one, the pixels would differ a little.
            ways = {*setup.edges, *setup.usual_edges}
            picture = decode(source, max(ways), limits, FormatRegistry(load_formats(setup.formats)))
            levels = pyramid(picture, ways)
            stat = source.stat
    except OSError as error:
        return FileAnswer(reason=f"it cannot be read: {error.strerror}")
    except Exception as error:  # noqa: BLE001 - the last boundary of this process: the answer records it
        return FileAnswer(reason=describe_error(error))
    return FileAnswer(
        stat.size_bytes,
        stat.mtime_ns,
        picture.format,
        picture.width,
        picture.height,
        [_pixels(edge, levels[edge]) for edge in setup.edges],
    )


def _pixels(edge: int, pixels: npt.NDArray[np.uint8]) -> FilePixels:
    return FilePixels(edge, pixels.shape[0], pixels.shape[1], pixels.tobytes())
