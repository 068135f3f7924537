"""The feedback service in one process: real disk, real writer thread, a reactor that the test turns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from recmesh.rpc import Channel, Handlers
from recmesh.v1 import feedback_pb2 as pb
from recmesh.v1.common_pb2 import Event
from recmesh.v1.feedback_rpc import FeedbackStub
from services.common.versions import Versions
from services.feedback.history import Past
from services.feedback.service import Feedback
from services.feedback.store import EventStore
from tests.services.kit import Turning, workers_at_once

NOW = 5_000.0


class Service:
    """One feedback service over one folder."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.turning = Turning()
        self.store = EventStore(folder, self.turning)
        self.versions = Versions(bundle, Past.of, workers_at_once())
        self.turning.result(self.versions.open())
        handlers = Handlers()
        self.feedback = Feedback(self.store, self.versions, workers_at_once(), lambda: NOW)
        self.feedback.register(handlers)
        self.stub = FeedbackStub(Channel(handlers))

    def append(self, *events: Event) -> tuple[int, int]:
        """How many were appended, and how many were there before."""
        answer = self.turning.result(self.stub.append(pb.AppendRequest(events=events)))
        return answer.appended, answer.duplicates

    def history(self, user_id: str = "new", **fields: int) -> pb.HistoryResponse:
        request = pb.HistoryRequest(user_id=user_id, **fields)  # type: ignore[arg-type]
        return self.turning.result(self.stub.history(request))

    def items(self, user_id: str = "new") -> Sequence[str]:
        return self.history(user_id).history.item_ids

    def delete(self, user_id: str) -> int:
        answer = self.turning.result(self.stub.delete_user(pb.DeleteUserEventsRequest(user_id=user_id)))
        return answer.events_deleted

    def close(self) -> None:
        self.turning.result(self.store.close())


def event(event_id: str, item_id: str = "x", **fields: object) -> Event:
    given: dict[str, object] = {"user_id": "new", "type": "like", "timestamp": 100.0, **fields}
    return Event(event_id=event_id, item_id=item_id, **given)  # type: ignore[arg-type]
