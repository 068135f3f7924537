"""RecordFeedback, GetHistory and DeleteUser: what users did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import items
from gateway.run import Run, away
from gateway.validate import DEFAULT_EVENTS, PAGE_ITEMS, check_events, check_id, check_range
from recmesh.rpc import RpcError
from recmesh.v1.common_pb2 import Event
from recmesh.v1.feedback_pb2 import AppendRequest, DeleteUserEventsRequest, HistoryRequest
from recmesh.v1.recommender_pb2 import (
    DeleteUserRequest,
    DeleteUserResponse,
    GetHistoryRequest,
    GetHistoryResponse,
    PastEvent,
    RecordFeedbackRequest,
    RecordFeedbackResponse,
)

USUAL_TYPE = "view"


def check_record(request: RecordFeedbackRequest) -> None:
    check_events(request.events)


def check_history(request: GetHistoryRequest) -> None:
    check_id("user_id", request.user_id)
    if request.HasField("count"):
        check_range("count", request.count, 1, PAGE_ITEMS)


def check_delete(request: DeleteUserRequest) -> None:
    check_id("user_id", request.user_id)


@dataclass(frozen=True, slots=True)
class Feedback:
    """Hands events to the feedback service, and reads them back."""

    wall_time: Callable[[], float]
    new_id: Callable[[], str]

    async def record(self, run: Run, request: RecordFeedbackRequest) -> RecordFeedbackResponse:
        events = [self._completed(event) for event in request.events]
        try:
            answer = await run.upstreams.feedback.append(AppendRequest(events=events), run.context())
        except RpcError as error:
            run.do_without("feedback", error)
            raise away(f"the events may not have been recorded, because feedback is away: {error}", error) from error
        return RecordFeedbackResponse(
            recorded=answer.appended,
            duplicates=answer.duplicates,
            event_ids=[event.event_id for event in events],
        )

    def _completed(self, event: Event) -> Event:
        completed = Event(event_id=self.new_id(), type=USUAL_TYPE, timestamp=self.wall_time())
        completed.MergeFrom(event)  # what the event leaves empty stays as it is above
        return completed

    async def history(self, run: Run, request: GetHistoryRequest) -> GetHistoryResponse:
        count = request.count if request.HasField("count") else DEFAULT_EVENTS
        wanted = HistoryRequest(user_id=request.user_id, bundle_version=run.version, limit=1, event_limit=count)
        try:
            answer = await run.upstreams.feedback.history(wanted, run.context())
        except RpcError as error:
            run.do_without("feedback", error)
            raise away(f"the history cannot be read, because feedback is away: {error}", error) from error
        records = await items.fetch(run, (event.item_id for event in answer.events))
        past = [
            PastEvent(event=event, title=records[event.item_id].item.title if event.item_id in records else "")
            for event in answer.events
        ]
        return GetHistoryResponse(events=past, known=answer.known, degraded=run.degraded)

    async def delete(self, run: Run, request: DeleteUserRequest) -> DeleteUserResponse:
        try:
            answer = await run.upstreams.feedback.delete_user(
                DeleteUserEventsRequest(user_id=request.user_id), run.context()
            )
        except RpcError as error:
            run.do_without("feedback", error)
            raise away(f"the user may not have been deleted, because feedback is away: {error}", error) from error
        return DeleteUserResponse(events_deleted=answer.events_deleted)
