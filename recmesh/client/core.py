"""Client: what the calls of the SDK do, once for every way of waiting.

The methods are coroutines that await only a Channel; `aio`, `tx` and `blocking` run them.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from recmesh.client import convert, values
from recmesh.client.gateways import Gateway, Gateways
from recmesh.rpc import Channel, Clock, Context, RpcError, Status
from recmesh.v1 import recommender_pb2 as pb
from recmesh.v1.recommender_rpc import RecommenderStub

T = TypeVar("T")

TIMEOUT: Final = 2.0  # seconds a call; what the gateway allows itself where a caller says nothing

AGAIN_SECONDS: Final = 1.0  # before a watch that was lost is asked for again

# What the gateway takes at once. More is sent in several calls, one after the other.
EVENTS_A_CALL: Final = 1_000
ITEMS_A_CALL: Final = 100
IDS_A_CALL: Final = 1_000
BYTES_A_CALL: Final = 2**20  # a quarter of the largest message, and little enough to arrive within a usual timeout


class Client:
    """Recommendations, search and feedback.

    Every call takes a `timeout` in seconds instead of the client's own, and raises RpcError: its `status` is for
    programs, its `message` for people. A call that fails in transit is made again where there is time; every call may
    also be repeated by its caller without harm.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        connect: Callable[[str], Gateway],
        clock: Clock,
        rng: random.Random,
        *,
        timeout: float,
        tenant: str,
    ) -> None:
        self._gateways = Gateways(addresses, connect, clock, rng)
        self._stub = RecommenderStub(Channel(self._gateways))
        self._clock = clock
        self._timeout = convert.seconds(timeout)
        self._tenant = tenant

    async def recommend(
        self,
        user_id: str = "",
        *,
        history: str | Iterable[str | tuple[str, float]] = (),
        count: int = 10,
        offset: int = 0,
        filter: str = "",  # noqa: A002  the name of the field
        exclude: str | Iterable[str] = (),
        exclude_seen: bool = True,
        query: str = "",
        diversity: float = 0.0,
        explain: bool = False,
        bundle_version: str = "",
        timeout: float | None = None,
    ) -> values.Recommendations:
        """What a user most probably wants next.

        `history`: what the user did, oldest first, as item ids or (item id, weight), a weight below zero for a dislike.
        It stands for a user who has no id, or replaces what is stored of one who has. `query`: prefer what matches this
        text. `diversity`: 0 orders by score alone, 1 makes the items as different as it can.
        """
        with convert.request("recommend"):
            request = convert.recommend_request(
                user_id,
                self._tenant,
                history=history,
                count=count,
                offset=offset,
                filter=filter,
                exclude=exclude,
                exclude_seen=exclude_seen,
                query=query,
                diversity=diversity,
                explain=explain,
                bundle_version=bundle_version,
            )
        return convert.recommendations(await self._stub.recommend(request, self._context(timeout)))

    async def watch(
        self,
        user_id: str,
        *,
        count: int = 10,
        filter: str = "",  # noqa: A002  the name of the field
        exclude: str | Iterable[str] = (),
        exclude_seen: bool = True,
        query: str = "",
        diversity: float = 0.0,
        explain: bool = False,
    ) -> AsyncIterator[values.Recommendations]:
        """What `recommend` answers, and again whenever an event of the user changes it, until the loop is left.

        A gateway that goes away is no end: after a pause another is asked, and what it answers comes if it is news.
        """
        with convert.request("watch"):
            request = convert.recommend_request(
                user_id,
                self._tenant,
                count=count,
                filter=filter,
                exclude=exclude,
                exclude_seen=exclude_seen,
                query=query,
                diversity=diversity,
                explain=explain,
            )
        shown: list[str] | None = None
        while True:
            try:
                async for reply in self._stub.watch(pb.WatchRequest(request=request)):
                    ids = [item.id for item in reply.items]
                    if ids != shown:
                        shown = ids
                        yield convert.recommendations(reply)
            except RpcError as error:
                if shown is None or error.status is not Status.UNAVAILABLE:
                    raise
            await self._clock.sleep(AGAIN_SECONDS)

    async def similar(
        self,
        item_id: str,
        *,
        count: int = 10,
        offset: int = 0,
        filter: str = "",  # noqa: A002  the name of the field
        exclude: str | Iterable[str] = (),
        explain: bool = False,
        bundle_version: str = "",
        timeout: float | None = None,
    ) -> values.SimilarItems:
        """Items like a given one; NOT_FOUND for an item that is not in the catalogue."""
        with convert.request("similar"):
            request = convert.message(
                pb.SimilarItemsRequest,
                item_id=item_id,
                count=convert.number("count", count),
                offset=convert.number("offset", offset),
                filter=filter,
                exclude_item_ids=convert.several("exclude", str, exclude),
                explain=explain,
                bundle_version=bundle_version,
                tenant=self._tenant,
            )
        return convert.similar_items(await self._stub.similar_items(request, self._context(timeout)))

    async def search(
        self,
        query: str,
        *,
        count: int = 10,
        offset: int = 0,
        filter: str = "",  # noqa: A002  the name of the field
        exclude: str | Iterable[str] = (),
        explain: bool = False,
        bundle_version: str = "",
        timeout: float | None = None,
    ) -> values.SearchResults:
        """Items that match a text, by meaning and by title."""
        with convert.request("search"):
            request = convert.message(
                pb.SearchItemsRequest,
                query=query,
                count=convert.number("count", count),
                offset=convert.number("offset", offset),
                filter=filter,
                exclude_item_ids=convert.several("exclude", str, exclude),
                explain=explain,
                bundle_version=bundle_version,
                tenant=self._tenant,
            )
        return convert.search_results(await self._stub.search_items(request, self._context(timeout)))

    async def record(
        self, events: values.Event | Iterable[values.Event], *, timeout: float | None = None
    ) -> values.Recorded:
        """Stores events; on return they are on disk, and the next answer to the user takes them into account.

        Over 1,000 go in several calls, and `timeout` holds for each. If one fails, record the same events again: those
        that are stored count once.
        """
        with convert.request("record"):
            messages = convert.messages("events", values.Event, convert.event_message, events)
        recorded = duplicates = 0
        event_ids: list[str] = []
        for batch in _batches(messages, EVENTS_A_CALL, _size):
            request = pb.RecordFeedbackRequest(events=batch, tenant=self._tenant)
            reply = await self._stub.record_feedback(request, self._context(timeout))
            recorded += reply.recorded
            duplicates += reply.duplicates
            event_ids += reply.event_ids
        return values.Recorded(recorded, duplicates, tuple(event_ids))

    async def put_items(
        self, items: values.Item | Iterable[values.Item], *, timeout: float | None = None
    ) -> values.ItemsPut:
        """Adds items to the catalogue, or replaces them; they can be found and recommended at once.

        Over 100 go in several calls, and `timeout` holds for each. If one fails, put the same items again.
        """
        with convert.request("put_items"):
            messages = convert.messages("items", values.Item, convert.item_message, items)
        stored = asked = acknowledged = 0
        for batch in _batches(messages, ITEMS_A_CALL, _size):
            reply = await self._stub.put_items(
                pb.PutItemsRequest(items=batch, tenant=self._tenant), self._context(timeout)
            )
            stored += reply.stored
            asked += reply.replicas_asked
            acknowledged += reply.replicas_acknowledged
        return values.ItemsPut(stored, asked, acknowledged)

    async def delete_items(self, item_ids: str | Iterable[str], *, timeout: float | None = None) -> values.ItemsDeleted:
        """Takes items out of the catalogue. Ids it does not have are no error."""
        with convert.request("delete_items"):
            given = convert.several("item_ids", str, item_ids)
        deleted = asked = acknowledged = 0
        for batch in _batches(given, IDS_A_CALL, len):
            with convert.request("delete_items"):
                request = pb.DeleteItemsRequest(item_ids=batch, tenant=self._tenant)
            reply = await self._stub.delete_items(request, self._context(timeout))
            deleted += reply.deleted
            asked += reply.replicas_asked
            acknowledged += reply.replicas_acknowledged
        return values.ItemsDeleted(deleted, asked, acknowledged)

    async def delete_user(self, user_id: str, *, timeout: float | None = None) -> values.UserDeleted:
        """Forgets a user: stored events are erased, and what a model bundle knows of the user is no longer served."""
        with convert.request("delete_user"):
            request = convert.message(pb.DeleteUserRequest, user_id=user_id, tenant=self._tenant)
        reply = await self._stub.delete_user(request, self._context(timeout))
        return values.UserDeleted(reply.events_deleted)

    async def history(self, user_id: str, *, count: int = 50, timeout: float | None = None) -> values.UserHistory:
        """What a user did, newest first."""
        with convert.request("history"):
            request = convert.message(
                pb.GetHistoryRequest, user_id=user_id, count=convert.number("count", count), tenant=self._tenant
            )
        return convert.user_history(await self._stub.get_history(request, self._context(timeout)))

    async def status(self, *, timeout: float | None = None) -> values.MeshStatus:
        """How the mesh is: the version in service, and every process behind the gateway."""
        return convert.mesh_status(await self._stub.status(pb.StatusRequest(), self._context(timeout)))

    async def close(self) -> None:
        """Ends the connections. Calls in flight fail."""
        await self._gateways.close()

    def _context(self, timeout: float | None) -> Context:
        if timeout is None:
            return Context(self._clock.seconds() + self._timeout)
        with convert.request("the call"):
            return Context(self._clock.seconds() + convert.seconds(timeout))


def _size(message: Message) -> int:
    return message.ByteSize()


def _batches(given: Sequence[T], most: int, size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """At least one, so that an empty request is judged where all others are."""
    begin = bytes_so_far = 0
    for place, each in enumerate(given):
        if place - begin == most or (place > begin and bytes_so_far + size(each) > BYTES_A_CALL):
            yield given[begin:place]
            begin, bytes_so_far = place, 0
        bytes_so_far += size(each)
    yield given[begin:]
