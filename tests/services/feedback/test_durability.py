"""kill -9: what was acknowledged is there after a restart. SIGTERM: what was begun is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recmesh.rpc import blocking
from recmesh.rpc.status import Processed, RpcError
from recmesh.v1 import feedback_pb2 as pb
from recmesh.v1.feedback_rpc import FeedbackStub
from tests.services.feedback.kit import event
from tests.services.processes import Running, configuration, running

CALLERS = 8
BEFORE_THE_END = 200  # acknowledged calls: many transactions, and the end comes amid others

pytestmark = pytest.mark.system


class Caller(threading.Thread):
    """Appends events one after the other until the process is gone."""

    def __init__(self, process: Running, number: int, enough: threading.Semaphore) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.end: RpcError
        self._process = process
        self._number = number
        self._enough = enough

    def run(self) -> None:
        with self._process.channel() as channel:
            stub = FeedbackStub(channel)
            try:
                for count in range(1_000_000):
                    name = f"{self._number}-{count}"
                    blocking.run(stub.append(pb.AppendRequest(events=[event(name, name)])))
                    self.acknowledged.append(name)
                    self._enough.release()
            except RpcError as error:
                self.end = error


@contextmanager
def calling(process: Running) -> Iterator[list[Caller]]:
    """Callers that are amid their calls; joined at the end, when the process must be gone."""
    enough = threading.Semaphore(0)
    callers = [Caller(process, number, enough) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(BEFORE_THE_END):
            assert enough.acquire(timeout=60)
        yield callers
    finally:
        process.process.kill()
        for caller in callers:
            caller.join()


def test_acknowledged_events_survive_kill_9(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "feedback", bundle)
    with running("feedback", config) as process, calling(process) as callers:
        process.kill()
    acknowledged = {name for caller in callers for name in caller.acknowledged}
    assert len(acknowledged) >= BEFORE_THE_END
    with running("feedback", config) as process, process.channel() as channel:
        stub = FeedbackStub(channel)
        history = blocking.run(stub.history(pb.HistoryRequest(user_id="new"))).history
        assert acknowledged <= set(history.item_ids)
        again = pb.AppendRequest(events=[event(name, name) for name in sorted(acknowledged)[:1_000]])
        assert blocking.run(stub.append(again)).appended == 0


def test_a_drain_answers_every_call_it_began(tmp_path: Path, bundle: Path) -> None:
    with running("feedback", configuration(tmp_path, "feedback", bundle)) as process:
        with calling(process) as callers:
            assert process.stop()[0] == 0
        for caller in callers:
            assert caller.end.processed in (Processed.NOT_SENT, Processed.REFUSED), caller.end
