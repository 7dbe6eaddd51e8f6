"""Typed messages between imgd's processes: length-prefixed MessagePack on a socket pair.

MessagePack with declared types rather than pickle, because a worker reads files that nobody trusts: whatever
it sends can only ever become one of the declared messages.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Generic, TypeVar

import msgspec

SentT = TypeVar("SentT")
ReceivedT = TypeVar("ReceivedT")

_LENGTH = struct.Struct("<I")
MAX_MESSAGE_BYTES = 64 << 20


class ChannelClosedError(Exception):
    """The other end is gone."""


class UnreadableMessageError(Exception):
    """The other end sent what is no message, or one that is too large."""


class MessageTooLargeError(Exception):
    """A message is larger than `MAX_MESSAGE_BYTES`."""


class Channel(Generic[SentT, ReceivedT]):
    """The child's blocking end."""

    def __init__(self, connection: socket.socket, received: Any) -> None:
        self._socket = connection
        self._stream = connection.makefile("rb")
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(received)

    def send(self, message: SentT) -> None:
        """Send; blocks.

        Raises:
            ChannelClosedError: when the other end is gone.
            MessageTooLargeError: nothing was sent.
        """
        body = self._encoder.encode(message)
        if len(body) > MAX_MESSAGE_BYTES:
            raise MessageTooLargeError
        try:
            self._socket.sendall(_LENGTH.pack(len(body)) + body)
        except OSError as error:
            raise ChannelClosedError from error

    def receive(self) -> ReceivedT:
        """The next message; blocks.

        Raises:
            ChannelClosedError: when the other end is gone.
        """
        try:
            head = self._stream.read(_LENGTH.size)
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
            body = self._stream.read(length)
        except OSError as error:
            raise ChannelClosedError from error
        if not length or len(body) < length:
            raise ChannelClosedError
        received: ReceivedT = self._decoder.decode(body)
        return received


class AsyncChannel(Generic[SentT, ReceivedT]):
    """The main process's end, in its event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(received)
        self.received_bytes = 0
        """The size of the message that was received last."""

    @classmethod
    async def open(cls, connection: socket.socket, received: Any) -> AsyncChannel[SentT, ReceivedT]:
        reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_MESSAGE_BYTES)
        return cls(reader, writer, received)

    def send(self, message: SentT) -> None:
        body = self._encoder.encode(message)
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def receive(self) -> ReceivedT:
        """The next message.

        Raises:
            ChannelClosedError: when the other end is gone.
            UnreadableMessageError: when it sent what is no message; nothing it sends from now on can be read.
        """
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > MAX_MESSAGE_BYTES:
                raise UnreadableMessageError
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ChannelClosedError from error
        self.received_bytes = length
        try:
            received: ReceivedT = self._decoder.decode(body)
        except msgspec.MsgspecError as error:
            raise UnreadableMessageError from error
        return received

    def close(self) -> None:
        self._writer.close()
