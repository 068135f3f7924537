"""What callers of the feedback service get: acknowledged, merged, deleted, refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from models.histories import SEEN_LIMIT
from recmesh.rpc.status import RpcError, Status
from recmesh.v1 import feedback_pb2 as pb
from recmesh.v1.common_pb2 import Event
from services.common.sqlite import MOST_BYTES
from services.feedback.events import MOST_AHEAD
from services.feedback.service import EVENT_BYTES, READ_INLINE
from services.feedback.store import FILE
from tests.services.feedback.kit import NOW, Service, event


def weights(answer: pb.HistoryResponse) -> list[float]:
    return [round(weight, 4) for weight in np.frombuffer(answer.history.weights, "<f4").tolist()]


def times(answer: pb.HistoryResponse) -> list[float]:
    return list(map(float, np.frombuffer(answer.history.timestamps, "<f8")))


def test_an_event_is_part_of_the_next_history(service: Service) -> None:
    assert not service.history().known
    assert service.append(event("e1", "a"), event("e2", "b", timestamp=200.0)) == (2, 0)
    answer = service.history()
    assert answer.known and list(answer.history.item_ids) == ["b", "a"]
    assert weights(answer) == [1.0, 1.0] and times(answer) == [200.0, 100.0]


def test_an_event_delivered_again_is_a_duplicate(service: Service) -> None:
    assert service.append(event("e1", "a")) == (1, 0)
    assert service.append(event("e1", "changed"), event("e2", "b"), event("e2", "b")) == (1, 2)
    assert sorted(service.items()) == ["a", "b"]


def test_live_events_go_on_top_of_the_bundles_history(service: Service) -> None:
    assert list(service.items("u0")) == ["i4", "i3", "i2", "i1", "i0"]
    service.append(event("e1", "i0", user_id="u0"), event("e2", "a", user_id="u0", timestamp=50.0))
    assert list(service.items("u0")) == ["i0", "a", "i4", "i3", "i2", "i1"]


def test_weights_follow_the_types_of_events(service: Service) -> None:
    service.append(
        event("e1", "best", type="rating", value=5.0, timestamp=6.0),
        event("e2", "worst", type="rating", value=1.0, timestamp=5.0),
        event("e3", "hated", type="dislike", timestamp=4.0),
        event("e4", "seen", type="", timestamp=3.0),
        event("e5", "bought", type="view", timestamp=1.0),
        event("e6", "bought", type="purchase", timestamp=2.0),
    )
    assert weights(service.history()) == [1.0, -0.3333, -1.0, 0.3, 1.0]


def test_a_change_of_mind_replaces_what_was_said_before(service: Service) -> None:
    service.append(event("e1", "a", type="like", timestamp=1.0), event("e2", "a", type="dislike", timestamp=2.0))
    assert weights(service.history()) == [-1.0]
    service.append(event("e3", "a", type="like", timestamp=0.5))  # late, and older than both
    assert weights(service.history()) == [-1.0]


def test_an_event_without_a_time_gets_that_of_its_arrival(service: Service) -> None:
    service.append(event("e1", "a", timestamp=0.0))
    assert times(service.history()) == [NOW]


def test_a_history_is_cut_to_what_was_asked_for(service: Service) -> None:
    service.append(*(event(f"e{n}", f"a{n}", timestamp=100.0 + n) for n in range(20)))
    assert list(service.history(limit=2).history.item_ids) == ["a19", "a18"]


def test_a_long_history_is_complete_up_to_the_limit_of_seen_items(service: Service) -> None:
    number = SEEN_LIMIT + 500
    for start in range(0, number, 500):
        service.append(*(event(f"e{n}", f"a{n}", timestamp=1.0 + n / 100) for n in range(start, start + 500)))
    items = service.items()
    assert len(items) == SEEN_LIMIT > READ_INLINE
    assert list(items) == [f"a{n}" for n in range(number - 1, 499, -1)]


def test_events_come_newest_first_and_whole(service: Service) -> None:
    sent = [
        event("e1", "a", value=0.0, text="good \0 \U0001f600", impression_id="p", timestamp=1.0),
        event("e2", "a", timestamp=2.0),
    ]
    service.append(*sent)
    assert list(service.history(event_limit=10).events) == [sent[1], sent[0]]
    assert list(service.history(event_limit=1).events) == [sent[1]]
    assert not service.history().events


def test_the_bundles_entries_are_told_as_ratings_below_live_events(service: Service) -> None:
    service.append(event("e1", "i3", user_id="u0", timestamp=2.5))
    told = [(each.item_id, each.type, each.value) for each in service.history("u0", event_limit=3).events]
    assert told == [("i4", "rating", 5.0), ("i3", "like", 0.0), ("i2", "rating", 5.0)]


def test_events_with_long_texts_stay_below_a_message(service: Service) -> None:
    service.append(*(event(f"e{n}", "a", text="x" * 65_536) for n in range(30)))
    answer = service.history(event_limit=30)
    assert 10 < len(answer.events) < 30 and answer.ByteSize() < EVENT_BYTES + 1_000


def test_a_deleted_user_is_forgotten_for_good(service: Service) -> None:
    service.append(event("e1", "a", user_id="u0"), event("e2", "b", user_id="u1"))
    assert service.delete("u0") == 1
    answer = service.history("u0", event_limit=10)
    assert not answer.known and not answer.history.item_ids and not answer.events
    assert len(service.items("u1")) == 6
    assert service.delete("u0") == 0


def test_events_after_a_deletion_count_again(service: Service) -> None:
    service.append(event("e1", "a", user_id="u0"))
    service.delete("u0")
    assert service.append(event("e1", "b", user_id="u0")) == (1, 0)
    assert list(service.items("u0")) == ["b"]


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path, bundle: Path) -> None:
    first = Service(tmp_path, bundle)
    first.append(event("e1", "a"), event("e2", "b", user_id="u0"))
    first.delete("u0")
    first.close()
    second = Service(tmp_path, bundle)
    assert list(second.items()) == ["a"] and not second.history("u0").known
    assert second.append(event("e1", "a")) == (0, 1)
    second.close()


def test_damage_is_told_to_callers_and_once_to_the_log(
    tmp_path: Path, bundle: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Service(tmp_path, bundle)
    for number in range(0, 3_000, 1_000):
        first.append(*(event(f"e{number + each}", user_id=f"u{each % 9}") for each in range(1_000)))
    first.close()
    damage(tmp_path / FILE)
    damaged = Service(tmp_path, bundle)
    request = pb.HistoryRequest(user_id="u1", event_limit=10)
    for _ in range(5):
        message = damaged.turning.refusal(damaged.stub.history(request), Status.UNAVAILABLE)
        assert message == "the store cannot be read: database disk image is malformed"
    damaged.close()
    errors = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert errors == ["the store cannot be read; restore the file"]


def damage(file: Path) -> None:
    """All but the first pages, which say what is where."""
    content = bytearray(file.read_bytes())
    for page in range(10 * 4_096, len(content), 4_096):
        content[page : page + 100] = b"\xff" * 100
    file.write_bytes(content)


def test_erased_events_are_not_left_in_the_files(tmp_path: Path, bundle: Path) -> None:
    service = Service(tmp_path, bundle)
    service.append(event("e1", "a", text="a very private remark"), event("e2", "b", user_id="other", text="public"))
    service.delete("new")
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    service.close()
    assert b"public" in content and b"private remark" not in content


@pytest.mark.parametrize("user_id", ["\0", "a'; --", "\U0001f600" * 64, " ", "ÄÖ/?", "x" * 256])
def test_any_utf_8_makes_an_id(service: Service, user_id: str) -> None:
    service.append(event(user_id, user_id, user_id=user_id))
    assert list(service.items(user_id)) == [user_id]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (event("", "a"), "events[1].event_id: an id must not be empty"),
        (event("e", ""), "events[1].item_id: an id must not be empty"),
        (event("e", user_id=""), "events[1].user_id: an id must not be empty"),
        (event("e", user_id="x" * 257), "events[1].user_id: an id is at most 256 bytes of UTF-8, this one has 257"),
        (event("e", type="x" * 257), "events[1].type: at most 256 bytes of UTF-8, these are 257"),
        (event("e", text="x" * 65_537), "events[1].text: at most 65,536 bytes of UTF-8, these are 65,537"),
        (event("e", impression_id="x" * 257), "events[1].impression_id: at most 256 bytes"),
        (event("e", value=math.nan), "events[1].value: the number is not finite"),
        (event("e", timestamp=-1.0), "events[1].timestamp: -1 lies outside 1970 to tomorrow; give Unix seconds"),
        (event("e", timestamp=math.nan), "events[1].timestamp: nan lies outside 1970 to tomorrow"),
        (event("e", timestamp=NOW + MOST_AHEAD + 1), "events[1].timestamp: 91401 lies outside 1970 to tomorrow"),
    ],
)
def test_a_wrong_event_is_named_and_nothing_is_stored(service: Service, wrong: Event, problem: str) -> None:
    work = service.stub.append(pb.AppendRequest(events=[event("good"), wrong]))
    assert service.turning.refusal(work, Status.INVALID_ARGUMENT).startswith(problem)
    assert not service.history().known


def test_too_many_events_are_refused(service: Service) -> None:
    work = service.stub.append(pb.AppendRequest(events=[event("e")] * 1_001))
    assert "at most 1,000" in service.turning.refusal(work, Status.INVALID_ARGUMENT)
    assert service.append() == (0, 0)


@pytest.mark.parametrize(
    ("request_", "status", "problem"),
    [
        (pb.HistoryRequest(), Status.INVALID_ARGUMENT, "user_id: an id must not be empty"),
        (pb.HistoryRequest(user_id="u", limit=10_001), Status.INVALID_ARGUMENT, "limit: at most 10,000"),
        (pb.HistoryRequest(user_id="u", event_limit=2**32 - 1), Status.INVALID_ARGUMENT, "event_limit: at most 10,000"),
        (
            pb.HistoryRequest(user_id="u", bundle_version="no"),
            Status.FAILED_PRECONDITION,
            "bundle version 'no' is not ",
        ),
    ],
)
def test_wrong_questions_are_refused(
    service: Service, request_: pb.HistoryRequest, status: Status, problem: str
) -> None:
    assert service.turning.refusal(service.stub.history(request_), status).startswith(problem)


def test_unacknowledged_events_are_bounded(service: Service) -> None:
    service.store.writer.bytes = MOST_BYTES  # as if that much waited for the disk
    with pytest.raises(RpcError) as caught:
        service.append(event("e1"))
    assert caught.value.status is Status.RESOURCE_EXHAUSTED and caught.value.pushback_ms == 100
    service.store.writer.bytes = 0
    assert service.append(event("e1")) == (1, 0)
