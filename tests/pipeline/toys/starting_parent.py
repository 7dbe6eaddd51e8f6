"""A process that runs a ChildStarter with a few children, prints all pids, and waits to be killed."""

from __future__ import annotations

import asyncio

from imgd.pipeline.process import ChildStarter


async def main() -> None:
    starter = ChildStarter()
    for number in range(3):
        await starter.start("toy_children:stay", f"toy{number}", None)
    print(*starter.pids, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
