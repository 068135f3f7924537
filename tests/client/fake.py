"""A gateway for tests: canned answers, a record of what was asked, failures on demand."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.message import Message

from recmesh.rpc import Call, Context, Handlers, Origin, Processed, RpcError, Status
from recmesh.rpc.clock import Gate
from recmesh.v1 import common_pb2
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.recommender_rpc import RecommenderBase

T = TypeVar("T")

ALIEN = common_pb2.ScoredItem(
    id="1214",
    score=0.75,
    title="Alien (1979)",
    sources=["itemknn", "ials"],
    reasons=[common_pb2.Reason(kind="itemknn", item_ids=["1200"], text="because you liked Aliens (1986)")],
)
AMELIE = common_pb2.ScoredItem(id="4973", score=0.5, title="Amélie (2001)", sources=["content"])
ANSWER: dict[str, Any] = {
    "items": [ALIEN, AMELIE],
    "bundle_version": "b1",
    "shards_total": 2,
    "shards_answered": 2,
    "impression_id": "i1",
}
EVENT = common_pb2.Event(event_id="e1", user_id="42", item_id="1214", type="rating", value=4.5, timestamp=86_400.0)


class FakeGateway(RecommenderBase):
    """Knows user "42" and the two films above, which no filter lets through; "partial" gets all that can go wrong."""

    def __init__(self) -> None:
        self.requests: list[Message] = []
        self.watched: deque[list[str]] = deque()  # by watch, whose pages it gives; "away": the gateway is lost

    async def recommend(self, request: pb.RecommendRequest, context: Context) -> pb.RecommendResponse:
        self.requests.append(request)
        reply = pb.RecommendResponse(**ANSWER, personalized=request.user_id == "42", variant="b")
        if not request.explain:
            del reply.items[0].reasons[:]
        if request.filter:
            del reply.items[:]
        if request.user_id == "partial":
            reply.degraded.append("ranking")
            reply.shards_answered = 1
        if request.user_id == "unread":
            reply.degraded.append("feedback")
        return reply

    async def watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.RecommendResponse]:
        for user_id in self.watched.popleft() if self.watched else ("42",):
            if user_id == "away":
                raise lost()
            request.request.user_id = user_id
            page = await self.recommend(request.request, context)
            if user_id == "nobody":
                del page.items[1:]
            yield page

    async def similar_items(self, request: pb.SimilarItemsRequest, context: Context) -> pb.SimilarItemsResponse:
        self.requests.append(request)
        if request.item_id != "1214":
            raise RpcError(Status.NOT_FOUND, f"no item {request.item_id!r} is in the catalogue")
        return pb.SimilarItemsResponse(**ANSWER, title=ALIEN.title)

    async def search_items(self, request: pb.SearchItemsRequest, context: Context) -> pb.SearchItemsResponse:
        self.requests.append(request)
        return pb.SearchItemsResponse(**(ANSWER | {"items": []} if request.query == "nothing" else ANSWER))

    async def record_feedback(self, request: pb.RecordFeedbackRequest, context: Context) -> pb.RecordFeedbackResponse:
        self.requests.append(request)
        ids = [event.event_id for event in request.events]
        return pb.RecordFeedbackResponse(recorded=len(ids), duplicates=0, event_ids=ids)

    async def put_items(self, request: pb.PutItemsRequest, context: Context) -> pb.PutItemsResponse:
        self.requests.append(request)
        return pb.PutItemsResponse(stored=len(request.items), replicas_asked=4, replicas_acknowledged=3)

    async def delete_items(self, request: pb.DeleteItemsRequest, context: Context) -> pb.DeleteItemsResponse:
        self.requests.append(request)
        return pb.DeleteItemsResponse(deleted=1, replicas_asked=4, replicas_acknowledged=4)

    async def delete_user(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        self.requests.append(request)
        return pb.DeleteUserResponse(events_deleted=12)

    async def get_history(self, request: pb.GetHistoryRequest, context: Context) -> pb.GetHistoryResponse:
        self.requests.append(request)
        known = request.user_id == "42"
        return pb.GetHistoryResponse(events=[pb.PastEvent(event=EVENT, title=ALIEN.title)] * known, known=known)

    async def status(self, request: pb.StatusRequest, context: Context) -> pb.StatusResponse:
        self.requests.append(request)
        endpoint = pb.EndpointStatus(
            address="127.0.0.1:7200",
            state="ready",
            calls=1_200,
            failures=1,
            last_error="reset",
            last_error_age_seconds=150,
            problem="does not answer",
            bundle_versions=["b1"],
            id="retrieval-1-0",
            health="probation",
            cause="its time is over",
            ejections=2,
            cost_seconds=0.0125,
        )
        upstream = pb.UpstreamStatus(
            service="retrieval",
            shard=1,
            endpoints=[endpoint],
            retry_budget=10.2,
            in_flight=3,
            limit=1_024,
            queued=4,
            throttle=0.25,
            hedges_sent=20,
            hedges_won=5,
            panic=True,
        )
        return pb.StatusResponse(
            bundle_version="b1", serving=True, build="0.1.0", uptime_seconds=90, upstreams=[upstream], quality=0.75
        )


class FakeClock:
    """Time passes only in `sleep`, which therefore never suspends. Is a recmesh.rpc.Clock for one coroutine."""

    def __init__(self) -> None:
        self.now = 100.0

    def seconds(self) -> float:
        return self.now

    async def sleep(self, delay: float) -> None:
        self.now += delay

    def gate(self) -> Gate:
        raise NotImplementedError

    async def within(self, delay: float, work: Coroutine[Any, Any, T]) -> T:
        return await work

    async def first(self, *work: Coroutine[Any, Any, T]) -> T:
        raise NotImplementedError

    async def hedged(
        self, delay: float, work: Coroutine[Any, Any, T], backup: Callable[[], Coroutine[Any, Any, T] | None]
    ) -> T:
        return await work

    async def settled(self, *work: Coroutine[Any, Any, T]) -> list[T | BaseException]:
        raise NotImplementedError


@dataclass
class FakeEndpoint:
    """Leads to a gateway in memory, over the bytes of the messages; fails as often as it is told to first."""

    address: str
    gateway: RecommenderBase = field(default_factory=FakeGateway)
    failures: deque[RpcError] = field(default_factory=deque)
    contexts: list[Context] = field(default_factory=list)
    state: str = "ready"
    closed: bool = False

    async def __call__(self, call: Call) -> Message:
        self.contexts.append(call.context)
        if self.failures:
            raise self.failures.popleft()
        handlers = Handlers()
        self.gateway.register(handlers)
        if call.streams:
            return await handlers(call)
        request = handlers.decode(call.method.path, call.method.kind, call.request.SerializeToString(), call.context)
        reply: Message = call.method.reply.FromString((await handlers(request)).SerializeToString())
        return reply

    async def close(self) -> None:
        self.closed = True


def refused() -> RpcError:
    return RpcError(Status.UNAVAILABLE, "connection refused", processed=Processed.NOT_SENT, origin=Origin.CLIENT)


def lost() -> RpcError:
    return RpcError(Status.UNAVAILABLE, "connection lost", processed=Processed.MAYBE, origin=Origin.CLIENT)


def late() -> RpcError:
    return RpcError(Status.DEADLINE_EXCEEDED, "no answer in time", processed=Processed.MAYBE, origin=Origin.CLIENT)
