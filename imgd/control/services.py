"""What the routes ask of the daemon. daemon.py implements it; nothing here knows how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from imgd.control.plans import AnalyzeAnswer, AnalyzeRequest, ReanalysisAnswer, ReanalyzeRequest
from imgd.control.protocol import (
    AnalyzersAnswer,
    CompleteAnswer,
    ConfirmRequest,
    CountAnswer,
    DuplicatesAnswer,
    FailedAnswer,
    PhotoAnswer,
    Progress,
    RescanRequest,
    RetryRequest,
    SearchAnswer,
    StateAnswer,
    StatusAnswer,
    WaitAnswer,
)
from imgd.search.options import SearchOptions


@dataclass(frozen=True, slots=True)
class PhotoName:
    """A photo as a person names it: by id, or by absolute path (one of the two is set)."""

    photo_id: int | None = None
    path: bytes | None = None


class Services(Protocol):
    """All are called in the daemon's event loop; what blocks goes to a thread inside them."""

    async def status(self) -> StatusAnswer:
        """Quick at any load: its counts are kept or cached, not counted for the request."""

    async def search(self, query: str, options: SearchOptions) -> SearchAnswer:
        """One page of the photos that match.

        Raises QueryError when the query cannot be understood, CursorError when the cursor is not one.
        """

    async def warm_search(self) -> CountAnswer:
        """Begin to make the first search quick; returns at once with the number of spaces that are warmed."""

    async def complete(self, query: str, limit: int) -> CompleteAnswer:
        """Ways to go on with the last term of a half-typed query. Any text has an answer."""

    async def show(self, photo: PhotoName) -> PhotoAnswer:
        """Raises PhotoUnknownError."""

    async def preview(self, photo_id: int) -> bytes:
        """The photo's cached preview, a JPEG. Raises PhotoUnknownError and PreviewMissingError."""

    async def failed(self, after: str, limit: int) -> FailedAnswer:
        """The page of failed jobs that follows the cursor `after` ("" for the first)."""

    async def duplicates(self, kind: str, after: str, limit: int) -> DuplicatesAnswer:
        """The page of groups that follows the cursor `after` ("" for the first). Files that have to be read for it
        are read in the background; the answer does not wait long for that.

        Raises RequestError when there is no such list, CursorError when the cursor is none.
        """

    async def retry(self, request: RetryRequest) -> CountAnswer:
        """Raises RequestError when no analyzer has the name."""

    async def analyze(self, request: AnalyzeRequest) -> AnalyzeAnswer:
        """Raises RequestError when no analyzer has the name or no photos are named, QueryError as `search`."""

    async def reanalyze(self, request: ReanalyzeRequest) -> ReanalysisAnswer:
        """Plans, and unless that is all that was wanted, puts into the queue. Raises RequestError when no analyzer
        has such a name, QueryError as `search`."""

    async def confirm(self, request: ConfirmRequest) -> CountAnswer:
        """Let what is missing from a root be forgotten after the grace period. Raises RequestError as `rescan`."""

    async def rescan(self, request: RescanRequest) -> CountAnswer:
        """Raises RequestError when no root has the path."""

    async def analyzers(self) -> AnalyzersAnswer: ...

    async def wait(self, timeout_s: float) -> WaitAnswer:
        """Returns when all work is done or `timeout_s` has passed, whichever is first."""

    def progress(self) -> Progress:
        """As `status`, and cheap enough to be asked twice a second."""

    async def pause(self) -> StateAnswer:
        """Claim no further job; searches are answered, changes are registered."""

    async def resume(self) -> StateAnswer: ...

    async def refresh_models(self) -> CountAnswer:
        """Look at the model store again; the analyzers that became ready start."""
