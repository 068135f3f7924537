"""Watch: a user's recommendations, again whenever an event changes them.

The feedback service says what happens to whom; one subscription for the whole process serves every watcher.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from recmesh.ops.bell import Bell
from recmesh.rpc import Clock, Context, Processed, RpcError, Status
from recmesh.v1 import feedback_pb2
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.feedback_rpc import FeedbackStub

ONLY_NEW: Final = 2**64 - 1  # as an offset: the contract's
SETTLE_SECONDS: Final = 0.1  # events of one action come together, and one page shows them all
AGAIN_SECONDS: Final = 1.0  # before the subscription is asked for again
MOST_WATCHERS: Final = 1_000  # of one process: each is a page to compute whenever its user does something


class Changes:
    """Of one user, while somebody watches."""

    def __init__(self) -> None:
        self.count = 0
        self.watchers = 0
        self.bell = Bell()

    def happened(self) -> None:
        self.count += 1
        self.bell.ring()


class Watches:
    """Who watches whom."""

    def __init__(self, feedback: FeedbackStub, clock: Clock, page_seconds: float) -> None:
        self._feedback = feedback
        self._clock = clock
        self._page_seconds = page_seconds
        self._users: dict[str, Changes] = {}
        self._began = Bell()
        self._watchers = 0
        self._stopped = False

    async def follow(self) -> None:
        """Subscribes to events while anybody watches; goes on after the last one when the subscription is lost."""
        offset = ONLY_NEW
        while True:
            if not self._users:
                offset = ONLY_NEW
                await self._began.heard()
            try:
                request = feedback_pb2.SubscribeRequest(after_offset=offset)
                async for each in self._feedback.subscribe(request):
                    offset = each.offset
                    if each.HasField("event"):
                        self.happened(each.event.user_id)
                    else:  # from here on; what happened since the pages were shown was not told
                        self._look_again()
                    if not self._users:
                        break
            except RpcError:  # away, as the pages say themselves
                await self._clock.sleep(AGAIN_SECONDS)

    def happened(self, user_id: str) -> None:
        changes = self._users.get(user_id)
        if changes is not None:
            changes.happened()

    def stop(self) -> None:
        """Ends the watches."""
        self._stopped = True
        self._look_again()

    def _look_again(self) -> None:
        for each in list(self._users.values()):
            each.happened()

    async def pages(
        self,
        request: pb.RecommendRequest,
        context: Context,
        page: Callable[[pb.RecommendRequest, Context], Awaitable[pb.RecommendResponse]],
    ) -> AsyncIterator[pb.RecommendResponse]:
        """The first page, and each later one that names other items or another order."""
        with self._of(request.user_id) as changes:
            shown: list[str] | None = None
            while not self._stopped:
                seen = changes.count
                try:
                    answer = await page(request, context.by(self._clock.seconds() + self._page_seconds))
                except RpcError as error:
                    if error.processed is not Processed.REFUSED or error.pushback_ms is None:
                        raise
                    await self._clock.sleep(error.pushback_ms / 1000)  # this process has no room for it at the moment
                    continue
                ids = [item.id for item in answer.items]
                if ids != shown:
                    shown = ids
                    yield answer
                while changes.count == seen:
                    await changes.bell.heard()
                await self._clock.sleep(SETTLE_SECONDS)
        raise RpcError(Status.UNAVAILABLE, "this process stops; watch at another")

    @contextmanager
    def _of(self, user_id: str) -> Iterator[Changes]:
        if self._watchers >= MOST_WATCHERS:
            raise RpcError(Status.RESOURCE_EXHAUSTED, f"{MOST_WATCHERS:,} watch already, as many as one gateway takes")
        changes = self._users.setdefault(user_id, Changes())
        changes.watchers += 1
        self._watchers += 1
        self._began.ring()
        try:
            yield changes
        finally:
            changes.watchers -= 1
            self._watchers -= 1
            if not changes.watchers:
                del self._users[user_id]
