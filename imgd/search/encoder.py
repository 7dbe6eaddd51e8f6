"""The main process's side of the encoder process: query texts in, vectors out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from imgd.errors import ModelMissingError, SearchError
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.messages import AnalyzerSpec, EncodeAnswer, EncodeRequest, EncoderSetup
from imgd.pipeline.process import Child, ChildStarter
from imgd.plugins import EncoderClass

_TIMEOUT_S = 60.0
_IDLE_STOP_S = 900.0

EncoderChannel = AsyncChannel[EncodeRequest, EncodeAnswer]


class EncoderProcess:
    """All query encoders, in one child that starts with the first request and ends when idle."""

    def __init__(
        self,
        starter: ChildStarter,
        encoders: Mapping[str, EncoderClass],
        device: str = "cpu",
    ) -> None:
        """`encoders` by the space they serve."""
        self._starter = starter
        self._encoders = encoders
        self._specs: Mapping[str, AnalyzerSpec] = {}
        self._served: Mapping[str, AnalyzerSpec] = {}
        self._missing: Mapping[str, str] = {}
        self._device = device
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[EncodeAnswer]] = {}
        self._channel: EncoderChannel | None = None
        self._starting = asyncio.Lock()
        self._life: asyncio.Task[None] | None = None

    def offer(self, specs: Mapping[str, AnalyzerSpec], missing: Mapping[str, str]) -> None:
        """Serve from now on the spaces of `specs`; `missing` says what to do about the others' models."""
        self._specs = specs
        self._missing = missing

    def spaces(self) -> Sequence[str]:
        """Spaces that an installed encoder serves, its model there or not."""
        return tuple(self._encoders)

    def background(self, space: str) -> Sequence[str]:
        return self._encoders[space].background_texts

    async def encode(self, space: str, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(len(texts), d) float32, rows L2-normalised.

        Raises:
            ModelMissingError: the space's model is not in the model store.
            SearchError: the encoder failed, crashed, or took too long.
        """
        if space not in self._specs:
            raise ModelMissingError(f"the query encoder of {space}", hint=self._missing.get(space))
        channel = await self._ready_channel()
        number = next(self._numbers)
        answered: asyncio.Future[EncodeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        channel.send(EncodeRequest(number, space, list(texts)))
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await answered
        except TimeoutError:
            await self.stop()
            raise SearchError(f"the encoder of {space} took longer than {_TIMEOUT_S:g} s") from None
        finally:
            self._waiting.pop(number, None)
        if answer.error:
            raise SearchError(f"the encoder of {space} failed: {answer.error}")
        return np.frombuffer(answer.vectors, np.float32).reshape(len(texts), -1)

    async def stop(self) -> None:
        """End the child; the next request starts another."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)

    async def _ready_channel(self) -> EncoderChannel:
        async with self._starting:
            if self._channel is not None and self._served != self._specs:
                await self.stop()  # it would not know a model that was fetched since it started
            if self._channel is None:
                self._served = dict(self._specs)
                setup = EncoderSetup(tuple(self._served.values()), self._device)
                child = await self._starter.start("imgd.pipeline.encoder:run", "imgd-encoder", setup)
                self._channel = await AsyncChannel.open(child.connection, EncodeAnswer)
                self._life = asyncio.create_task(self._live(child, self._channel), name="encoder")
            return self._channel

    async def _live(self, child: Child, channel: EncoderChannel) -> None:
        """Hand out answers until the child ends, is stopped, or has had nothing to do for long."""
        try:
            while True:
                async with asyncio.timeout(_IDLE_STOP_S):  # longer than any request may take
                    answer = await channel.receive()
                waiting = self._waiting.get(answer.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except (ChannelClosedError, UnreadableMessageError, TimeoutError):
            pass
        finally:
            self._channel = None
            channel.close()
            child.kill()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(SearchError("the encoder process ended"))
