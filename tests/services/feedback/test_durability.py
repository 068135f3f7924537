"""kill -9: what was acknowledged is there after a restart."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from recmesh.rpc import blocking
from recmesh.rpc.status import RpcError
from recmesh.v1 import feedback_pb2 as pb
from recmesh.v1.feedback_rpc import FeedbackStub
from tests.services.feedback.kit import event
from tests.services.processes import Running, configuration, running

CALLERS = 8
BEFORE_THE_KILL = 200  # acknowledged calls: hundreds of transactions, and the kill comes amid others

pytestmark = pytest.mark.system


class Caller(threading.Thread):
    """Appends events one after the other until the process is gone."""

    def __init__(self, process: Running, number: int, enough: threading.Semaphore) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
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
            except RpcError:
                return


def test_acknowledged_events_survive_kill_9(tmp_path: Path, bundle: Path) -> None:
    config = configuration(tmp_path, "feedback", bundle)
    enough = threading.Semaphore(0)
    with running("feedback", config) as process:
        callers = [Caller(process, number, enough) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        for _ in range(BEFORE_THE_KILL):
            assert enough.acquire(timeout=60)
        process.kill()
        for caller in callers:
            caller.join()
    acknowledged = {name for caller in callers for name in caller.acknowledged}
    assert len(acknowledged) >= BEFORE_THE_KILL
    with running("feedback", config) as process, process.channel() as channel:
        stub = FeedbackStub(channel)
        history = blocking.run(stub.history(pb.HistoryRequest(user_id="new"))).history
        assert acknowledged <= set(history.item_ids)
        again = pb.AppendRequest(events=[event(name, name) for name in sorted(acknowledged)[:1_000]])
        assert blocking.run(stub.append(again)).appended == 0
