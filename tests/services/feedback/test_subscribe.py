"""Subscribe: every event after an offset, and each one as it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from recmesh.rpc import RpcError, Status
from recmesh.testing import Begun, begin
from recmesh.v1 import feedback_pb2 as pb
from tests.services.feedback.kit import Service, event


class Subscriber:
    """Reads until nothing comes."""

    def __init__(self, service: Service, after: int = 0) -> None:
        self.seen: list[tuple[int, str]] = []
        stream = service.stub.subscribe(pb.SubscribeRequest(after_offset=after))

        async def read() -> None:
            async for each in stream:
                self.seen.append((each.offset, each.event.item_id))

        self.reading: Begun[None] = begin(read())


@pytest.fixture
def service(tmp_path: Path, bundle: Path) -> Service:
    return Service(tmp_path, bundle)


def test_the_stored_events_come_in_their_order_and_then_each_new_one(service: Service) -> None:
    service.append(event("1", "a"), event("2", "b"))
    subscriber = Subscriber(service)
    assert subscriber.seen == [(1, "a"), (2, "b")]
    service.append(event("3", "c"))
    assert subscriber.seen[2:] == [(3, "c")]
    service.append(event("3", "c"))
    assert len(subscriber.seen) == 3
    subscriber.reading.cancel()
    service.close()


def test_who_goes_on_after_an_offset_misses_nothing_and_gets_nothing_twice(service: Service) -> None:
    service.append(*(event(str(number), str(number)) for number in range(250)))
    seen = Subscriber(service, after=100).seen
    assert [offset for offset, _ in seen] == list(range(101, 251))
    service.close()


def test_only_what_comes_from_now_on_begins_with_the_offset_of_now(service: Service) -> None:
    assert Subscriber(service, after=2**64 - 1).seen == [(0, "")]
    service.append(event("1", "a"))
    service.delete("new")
    subscriber = Subscriber(service, after=2**64 - 1)
    assert subscriber.seen == [(1, "")]
    service.append(event("2", "b"))
    assert subscriber.seen[1:] == [(2, "b")]
    service.close()


def test_a_process_that_stops_ends_the_subscriptions(service: Service) -> None:
    subscriber = Subscriber(service)
    service.feedback.stop()
    with pytest.raises(RpcError, match="go on after the last offset elsewhere") as caught:
        subscriber.reading.result()
    assert caught.value.status is Status.UNAVAILABLE
    service.close()


def test_an_offset_that_cannot_be_one_is_refused(service: Service) -> None:
    with pytest.raises(RpcError, match="after_offset: an offset is at most"):
        Subscriber(service, after=2**63).reading.result()
    service.close()
