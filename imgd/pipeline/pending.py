"""What one analyzer of a lane has yet to do."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from imgd.pipeline.messages import LaneItem


@dataclass(slots=True)
class Pending:
    """What one analyzer has yet to do.

    `batch_size`: of `most`, what the lane's memory allows. `suspects`: parts of a batch that killed the lane, each
    tried by itself. `convicted`: photos that killed it alone, with the reason; they fail once the analyzer has
    served another one. `fatal_size`: the smallest batch that killed the lane, where no photo is convicted yet.
    """

    most: int
    batch_size: int
    items: deque[tuple[float, LaneItem]] = field(default_factory=deque)
    suspects: deque[list[LaneItem]] = field(default_factory=deque)
    convicted: list[tuple[LaneItem, str]] = field(default_factory=list)
    convictions: int = 0
    fatal_size: int = 0

    @property
    def waiting(self) -> int:
        return len(self.items) + sum(len(part) for part in self.suspects)

    @property
    def since(self) -> float:
        """Since when the oldest of its items waits."""
        return self.items[0][0]

    def resize(self, size: int) -> None:
        self.batch_size = max(1, min(self.most, size))
