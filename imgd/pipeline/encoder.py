"""The encoder process: query encoders with their models, apart from the lanes, so that a search never waits behind
a batch, and apart from the main process, which loads no model."""

from __future__ import annotations

import socket

import numpy as np

from imgd.pipeline.channel import Channel, ChannelClosedError
from imgd.pipeline.hosted import describe_error, load_hosted
from imgd.pipeline.messages import EncodeAnswer, EncodeRequest, EncoderSetup


def run(connection: socket.socket, _fds: list[int], setup: EncoderSetup) -> None:
    """Serve requests until the main process closes the connection. An encoder is loaded by its first request."""
    channel: Channel[EncodeAnswer, EncodeRequest] = Channel(connection, EncodeRequest)
    specs = {spec.name: spec for spec in setup.encoders}
    loaded: dict[str, object] = {}
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


def _encode(encoder: object, request: EncodeRequest) -> EncodeAnswer:
    try:
        rows = np.asarray(encoder.encode_texts(request.texts), dtype=np.float32)  # type: ignore[attr-defined]
        if rows.ndim != 2 or len(rows) != len(request.texts) or not np.isfinite(rows).all():
            raise ValueError(
                f"returned {rows.shape} for {len(request.texts)} texts, or numbers that are not finite"
            )
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        return EncodeAnswer(request.number, error=describe_error(error))
    return EncodeAnswer(request.number, rows.tobytes())
