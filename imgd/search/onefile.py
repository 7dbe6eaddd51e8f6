"""The main process's side of looking at any file: a path in, the pixels that encoders want out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from imgd.config import DecodeSettings
from imgd.errors import SearchError
from imgd.pipeline.channel import AsyncChannel, ChannelClosedError, UnreadableMessageError
from imgd.pipeline.messages import FileAnswer, FileSetup
from imgd.pipeline.pool import describe_exit
from imgd.pipeline.process import Child, ChildStarter

_AT_ONCE = 2
"""Files that are decoded side by side; each may take `decode.memory_mb`."""


class FileReader:
    """Decodes single files, each in a child of its own, under the bounds of a decode worker."""

    def __init__(
        self,
        starter: ChildStarter,
        settings: DecodeSettings,
        usual_edges: Collection[int] = (),
        formats: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`usual_edges`: of all analyzers, in pixels; with them a file gives the very pixels that its first
        analysis gives. `formats`: (module, qualname) of image formats that plugins bring."""
        self._starter = starter
        self._settings = settings
        self._usual_edges = tuple(sorted({edge for edge in usual_edges if edge}))
        self._formats = tuple(formats)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def read(self, path: bytes, edges: Collection[int]) -> FileAnswer:
        """The file at `path`, upright, at each of `edges` (pixels, at least one).

        Raises:
            SearchError: it cannot be read or decoded, or took more than the `decode` settings allow.
        """
        setup = FileSetup(path, tuple(sorted(set(edges))), self._usual_edges, self._formats, self._settings)
        async with self._places:
            child = await self._starter.start("imgd.pipeline.onefile:run", "imgd-onefile", setup)
            try:
                answer = await self._hear(child)
            finally:
                await child.destroy()
        if answer.reason:
            raise SearchError(answer.reason, hint="Name a photo that imgd can decode.")
        return answer

    async def _hear(self, child: Child) -> FileAnswer:
        channel: AsyncChannel[None, FileAnswer] = await AsyncChannel.open(child.connection, FileAnswer)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await channel.receive()
        except TimeoutError:
            return FileAnswer(reason=f"decoding it took longer than {self._settings.timeout_s:g} s")
        except UnreadableMessageError:
            return FileAnswer(reason="the process that decoded it sent what is no message of imgd's")
        except ChannelClosedError:
            status = await child.wait(self._settings.timeout_s)
            return FileAnswer(reason=f"the process that decoded it {describe_exit(status)}")
        finally:
            channel.close()
