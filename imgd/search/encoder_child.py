"""One child that hosts query encoders, as the main process sees it: requests in, vectors out."""

from __future__ import annotations

import asyncio
import enum
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from imgd.errors import SearchError
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.messages import AnalyzerSpec, EncodeAnswer, EncodeRequest, EncoderSetup, PhotoToEncode
from imgd.pipeline.process import Child, ChildStarter

_TIMEOUT_S = 60.0
_IDLE_STOP_S = 900.0

EncoderChannel = AsyncChannel[EncodeRequest, EncodeAnswer]


class _End(enum.Enum):
    """Why a child ends."""

    CRASHED = enum.auto()
    """By itself, or because it took too long: the request that it had in hand is to blame."""
    REPLACED = enum.auto()
    STOPPED = enum.auto()


class _NotBegunError(Exception):
    """The child ended before it came to this request."""


class EncoderChild:
    """Starts with the first request, ends when idle for long, and is replaced when it dies.

    A child does one request after another, in the order they came. So when it dies, the oldest is to blame and
    fails; those behind it go to the next child.
    """

    def __init__(self, starter: ChildStarter, name: str, device: str) -> None:
        self._starter = starter
        self._name = name
        self._device = device
        self._specs: Mapping[str, AnalyzerSpec] = {}
        self._served: Mapping[str, AnalyzerSpec] = {}
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[EncodeAnswer]] = {}  # in the order they were sent
        self._channel: EncoderChannel | None = None
        self._starting = asyncio.Lock()
        self._life: asyncio.Task[None] | None = None
        self._end = _End.CRASHED

    def serve(self, specs: Mapping[str, AnalyzerSpec]) -> None:
        """Serve the encoders of these spaces from the next request on."""
        self._specs = specs

    async def ask(
        self, space: str, texts: Sequence[str] = (), photo: PhotoToEncode | None = None
    ) -> npt.NDArray[np.float32]:
        """A row for each of `texts`, or one for `photo`.

        Raises:
            SearchError: the encoder failed, crashed, or took too long.
        """
        while True:
            channel = await self._ready_channel()
            number = next(self._numbers)
            answered = self._waiting[number] = asyncio.get_running_loop().create_future()
            channel.send(EncodeRequest(number, space, list(texts), photo))
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    answer = await answered
            except TimeoutError:
                await self._finish(_End.CRASHED)
                raise SearchError(f"the encoder of {space} took longer than {_TIMEOUT_S:g} s") from None
            except _NotBegunError:
                continue
            if answer.error:
                raise SearchError(f"the encoder of {space} failed: {answer.error}")
            return np.frombuffer(answer.vectors, np.float32).reshape(1 if photo else len(texts), -1)

    async def stop(self) -> None:
        """End the child; the next request starts another."""
        await self._finish(_End.STOPPED)

    async def _finish(self, end: _End) -> None:
        if self._life is not None:
            self._end = end
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    async def _ready_channel(self) -> EncoderChannel:
        async with self._starting:
            if self._channel is not None and self._served != self._specs:
                await self._finish(_End.REPLACED)  # it would not know a model that was fetched since it started
            if self._channel is None:
                self._served = dict(self._specs)
                setup = EncoderSetup(tuple(self._served.values()), self._device)
                child = await self._starter.start("imgd.pipeline.encoder:run", self._name, setup)
                self._end = _End.CRASHED
                self._channel = await AsyncChannel.open(child.connection, EncodeAnswer)
                self._life = asyncio.create_task(self._live(child, self._channel), name=self._name)
            return self._channel

    async def _live(self, child: Child, channel: EncoderChannel) -> None:
        """Hand out answers until the child ends, is stopped, or has had nothing to do for long."""
        try:
            while True:
                async with asyncio.timeout(_IDLE_STOP_S):  # longer than any request may take
                    answer = await channel.receive()
                waiting = self._waiting.pop(answer.number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except (ChannelClosedError, UnreadableMessageError, TimeoutError):
            pass
        finally:
            self._channel = None
            channel.close()
            child.kill()
            self._settle()

    def _settle(self) -> None:
        """Tell whoever still waits that the child has ended."""
        for position, waiting in enumerate(self._waiting.values()):
            if waiting.done():  # its caller has given up
                continue
            if self._end is _End.STOPPED or (self._end is _End.CRASHED and position == 0):
                waiting.set_exception(SearchError("the encoder process ended"))
            else:
                waiting.set_exception(_NotBegunError())
        self._waiting.clear()
