"""An encoder process: query encoders with their models, apart from the lanes, so that a search never waits behind
a batch, and apart from the main process, which loads no model."""

from __future__ import annotations

import os
import socket
from typing import Any

import numpy as np

from imgd.domain import PhotoInput
from imgd.pipeline.channel import Channel, ChannelClosedError
from imgd.pipeline.hosted import describe_error, load_hosted
from imgd.pipeline.messages import EncodeAnswer, EncodeRequest, EncoderSetup, PhotoToEncode


def run(connection: socket.socket, _fds: list[int], setup: EncoderSetup) -> None:
    """Serve requests until the main process closes the connection. An encoder is loaded by its first request."""
    channel: Channel[EncodeAnswer, EncodeRequest] = Channel(connection, EncodeRequest)
    specs = {spec.name: spec for spec in setup.encoders}
    loaded: dict[str, Any] = {}
    try:
        while True:
            request = channel.receive()
            if request.space not in loaded:
                found, faults = load_hosted([specs[request.space]], setup.device, lambda _line: None)
                if faults:
                    channel.send(EncodeAnswer(request.number, error=faults[request.space]))
                    continue
                loaded |= found
            channel.send(_encode(loaded[request.space], request))
    except ChannelClosedError:
        pass


def _encode(encoder: Any, request: EncodeRequest) -> EncodeAnswer:
    try:
        if request.photo is not None:
            rows = encoder.encode_photos([_photo_input(request.photo)])
        else:
            rows = encoder.encode_texts(request.texts)
        rows = np.asarray(rows, dtype=np.float32)
        count, what = (1, "photo") if request.photo is not None else (len(request.texts), "texts")
        if rows.ndim != 2 or len(rows) != count or not np.isfinite(rows).all():
            raise ValueError(f"returned {rows.shape} for {count} {what}, or numbers that are not finite")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return EncodeAnswer(request.number, error=describe_error(error))
    return EncodeAnswer(request.number, rows.tobytes())


def _photo_input(photo: PhotoToEncode) -> PhotoInput:
    level = photo.level
    pixels = np.frombuffer(level.pixels, np.uint8).reshape(level.height, level.width, 3)
    return PhotoInput(0, os.fsdecode(photo.path), photo.format, photo.width, photo.height, pixels)
