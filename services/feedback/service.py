"""The Feedback service."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Final

from models.histories import SEEN_LIMIT
from recmesh.ops.process import Process, Serving
from recmesh.rpc import Context, RpcError, Status
from recmesh.v1 import feedback_pb2 as pb
from recmesh.v1.feedback_rpc import FeedbackBase
from services.common.checks import check_id, invalid, up_to
from services.common.columns import history_message
from services.common.models import Models
from services.common.start import open_versions, serving
from services.common.state import StateFolder
from services.common.versions import Versions
from services.common.workers import Workers, start_workers
from services.feedback.events import received
from services.feedback.history import MOST_READ, Past, UserHistory, user_history
from services.feedback.settings import Settings
from services.feedback.store import EventStore, UserEvents

SUBSCRIBED_AT_ONCE: Final = 100  # events read for one subscriber before others have their turn
LARGEST_OFFSET: Final = 2**63 - 1  # what SQLite stores
ONLY_NEW: Final = 2**64 - 1  # as an offset: the contract's
READ_INLINE: Final = 500  # events of a user: more take over 2 ms to read and add up
REVIEWS_INLINE: Final = 2_048  # characters of reviews whose opinion is not known yet: more take over 2 ms to read
EVENT_BYTES: Final = 1 << 20  # of the events of one answer: with the largest history it stays below a message's limit


class Feedback(FeedbackBase):
    """Owns what users did."""

    def __init__(
        self, store: EventStore, versions: Versions[Past], workers: Workers, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._versions = versions
        self._workers = workers
        self._now = now
        self._stopped = False

    async def append(self, request: pb.AppendRequest, context: Context) -> pb.AppendResponse:
        events = received(request.events, self._now())
        appended = await self._store.append(events) if events else 0
        return pb.AppendResponse(appended=appended, duplicates=len(events) - appended)

    async def history(self, request: pb.HistoryRequest, context: Context) -> pb.HistoryResponse:
        check_id("user_id", request.user_id)
        for field, value in (("limit", request.limit), ("event_limit", request.event_limit)):
            if value > SEEN_LIMIT:
                raise invalid(field, f"at most {SEEN_LIMIT:,}")
        loaded = self._versions.get(request.bundle_version)
        answer = await self._answer(request, loaded.model, context)
        return pb.HistoryResponse(
            bundle_version=loaded.version,
            history=history_message(answer.entries),
            events=up_to(EVENT_BYTES, (event.message() for event in answer.events)),
            known=answer.known,
        )

    async def subscribe(self, request: pb.SubscribeRequest, context: Context) -> AsyncIterator[pb.SubscribeResponse]:
        offset = request.after_offset
        if offset == ONLY_NEW:
            offset = self._store.newest()
            yield pb.SubscribeResponse(offset=offset)
        elif offset > LARGEST_OFFSET:
            raise invalid("after_offset", f"an offset is at most {LARGEST_OFFSET}")
        while True:
            page = self._store.after(offset, SUBSCRIBED_AT_ONCE)
            for offset, event in page:
                yield pb.SubscribeResponse(offset=offset, event=event.message())
            if self._stopped:
                raise RpcError(Status.UNAVAILABLE, "this process stops; go on after the last offset elsewhere")
            if not page:
                await self._store.appended.heard()

    def stop(self) -> None:
        """Ends the subscriptions."""
        self._stopped = True
        self._store.appended.ring()

    async def delete_user(self, request: pb.DeleteUserEventsRequest, context: Context) -> pb.DeleteUserEventsResponse:
        check_id("user_id", request.user_id)
        deleted = await self._store.delete_user(request.user_id, self._now())
        return pb.DeleteUserEventsResponse(events_deleted=deleted)

    async def _answer(self, request: pb.HistoryRequest, past: Past, context: Context) -> UserHistory:
        def answer(stored: UserEvents) -> UserHistory:
            return user_history(request.user_id, past, stored, request.limit or SEEN_LIMIT, request.event_limit)

        def read_all() -> UserHistory:
            reader = self._store.reader()
            try:
                return answer(self._store.of_user(request.user_id, MOST_READ, reader))
            finally:
                reader.close()

        stored = self._store.of_user(request.user_id, READ_INLINE)
        if len(stored.events) < READ_INLINE and past.unread(stored.events) <= REVIEWS_INLINE:
            return answer(stored)
        return await self._workers.run(read_all, context.deadline)


async def start(process: Process, settings: Settings) -> Serving:
    folder = StateFolder(settings.state)
    process.on_stop(folder.release)
    store = EventStore(folder.path, process.reactor.callFromThread)
    process.on_stop(store.close)
    workers = start_workers(process)
    versions = await open_versions(settings, workers, Past.of)
    waiting = process.registry.gauge("recmesh_feedback_events_waiting", "Events that are not on disk yet.")
    waiting.ask(lambda: store.writer.rows)
    written = process.registry.counter("recmesh_feedback_transactions_total", "Transactions written to disk.")
    written.ask(lambda: store.writer.transactions)
    feedback = Feedback(store, versions, workers)
    process.on_drain(feedback.stop)
    return serving(process, settings, "Feedback", feedback, Models(versions))
