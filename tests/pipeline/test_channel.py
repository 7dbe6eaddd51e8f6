from __future__ import annotations

import asyncio
import socket
import struct
import threading

import pytest

from imgd.pipeline.channel import (
    MAX_MESSAGE_BYTES,
    AsyncChannel,
    Channel,
    ChannelClosedError,
    MessageTooLargeError,
    UnreadableMessageError,
)
from imgd.pipeline.messages import EncodeAnswer, EncodeRequest, PhotoResult, PhotoStatus, Ready


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def receive_in_loop(connection, received, count=1):
    async def receive():
        channel = await AsyncChannel.open(connection, received)
        try:
            return [await channel.receive() for _ in range(count)]
        finally:
            channel.close()

    return asyncio.run(receive())


def test_messages_arrive_in_order_and_as_their_types(pair):
    ours, theirs = pair
    child = Channel(theirs, EncodeRequest)
    sent = [Ready({"faces": "no weights"}), PhotoResult(7, PhotoStatus.GONE, "it is gone")]
    for message in sent:
        child.send(message)
    assert receive_in_loop(ours, Ready | PhotoResult, 2) == sent


def test_a_message_larger_than_any_buffer_arrives_whole(pair):
    ours, theirs = pair
    child = Channel(theirs, EncodeAnswer)
    answer = EncodeAnswer(1, bytes(range(256)) * 40_000)
    sender = threading.Thread(target=child.send, args=(answer,))
    sender.start()
    assert receive_in_loop(ours, EncodeAnswer) == [answer]
    sender.join()


def test_a_child_receives_what_the_loop_sends(pair):
    ours, theirs = pair
    child = Channel(theirs, EncodeRequest)

    async def send():
        channel = await AsyncChannel.open(ours, EncodeAnswer)
        channel.send(EncodeRequest(1, "space", ["é", ""]))
        received = await asyncio.to_thread(child.receive)
        channel.close()
        return received

    assert asyncio.run(send()) == EncodeRequest(1, "space", ["é", ""])


@pytest.mark.parametrize("sent", [b"", b"\x05", struct.pack("<I", 100) + b"half"])
def test_the_end_of_a_child_closes_the_channel(pair, sent):
    ours, theirs = pair
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelClosedError):
        receive_in_loop(ours, EncodeAnswer)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("<I", 0),
        struct.pack("<I", MAX_MESSAGE_BYTES + 1) + b"x",
        struct.pack("<I", 3) + b"\xc1\xc1\xc1",
        struct.pack("<I", 1) + b"\x01",
    ],
    ids=["nothing", "too long", "no message", "another type"],
)
def test_what_is_no_message_is_told_from_the_end_of_a_child(pair, sent):
    ours, theirs = pair
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(UnreadableMessageError):
        receive_in_loop(ours, EncodeAnswer)


def test_a_message_that_is_too_large_is_not_sent(pair):
    _ours, theirs = pair
    with pytest.raises(MessageTooLargeError):
        Channel(theirs, EncodeRequest).send(EncodeAnswer(1, bytes(MAX_MESSAGE_BYTES)))


@pytest.mark.parametrize("sent", [b"", b"\x05", struct.pack("<I", 100) + b"half", struct.pack("<I", 0)])
def test_a_child_sees_the_end_of_the_main_process(pair, sent):
    ours, theirs = pair
    child = Channel(theirs, EncodeRequest)
    ours.sendall(sent)
    ours.close()
    with pytest.raises(ChannelClosedError):
        child.receive()
    with pytest.raises(ChannelClosedError):
        child.send(EncodeAnswer(1))
