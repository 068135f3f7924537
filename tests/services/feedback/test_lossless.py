"""Whatever is appended, repeated, deleted or restarted: a history has every acknowledged event and no other."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from recmesh.v1.common_pb2 import Event
from tests.services.feedback.kit import Service, event
from tests.services.tiny import write_bundle

USERS = ["u0", "new"]
BUNDLE = {"u0": {f"i{number}" for number in range(5)}, "new": set[str]()}

event_ids = st.integers(0, 20).map(str)
events = st.builds(
    event,
    event_ids,
    st.sampled_from(["i0", "i9", "a", "b", "c"]),
    user_id=st.sampled_from(USERS),
    type=st.sampled_from(["like", "dislike", "view", "rating"]),
    timestamp=st.floats(1, 4_000),
)


class Lossless(RuleBasedStateMachine):
    folder: tempfile.TemporaryDirectory[str]
    models: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.models = write_bundle(Path(self.folder.name) / "models")
        self.service = Service(Path(self.folder.name), self.models)
        self.acknowledged: dict[str, Event] = {}
        self.forgotten: set[str] = set()

    @rule(batch=st.lists(events, max_size=5))
    def append(self, batch: list[Event]) -> None:
        before = set(self.acknowledged)
        appended, duplicates = self.service.append(*batch)
        for each in batch:
            self.acknowledged.setdefault(each.event_id, each)
        assert appended == len(self.acknowledged) - len(before)
        assert appended + duplicates == len(batch)

    @rule(user=st.sampled_from(USERS))
    def delete(self, user: str) -> None:
        theirs = [name for name, each in self.acknowledged.items() if each.user_id == user]
        assert self.service.delete(user) == len(theirs)
        for name in theirs:
            del self.acknowledged[name]
        self.forgotten.add(user)

    @rule()
    def restart(self) -> None:
        self.service.close()
        self.service = Service(Path(self.folder.name), self.models)

    @invariant()
    def histories_are_complete(self) -> None:
        for user in USERS:
            theirs = [each for each in self.acknowledged.values() if each.user_id == user]
            carried = set() if user in self.forgotten else BUNDLE[user]
            answer = self.service.history(user, event_limit=100)
            assert set(answer.history.item_ids) == {each.item_id for each in theirs} | carried
            assert len(set(answer.history.item_ids)) == len(answer.history.item_ids)
            told = {each.event_id for each in answer.events if each.event_id}
            assert told == {each.event_id for each in theirs}
            assert answer.known == bool(theirs or carried)

    def teardown(self) -> None:
        self.service.close()
        self.folder.cleanup()


Lossless.TestCase.settings = settings(max_examples=10, stateful_step_count=12, deadline=None)
TestLossless = pytest.mark.timeout(60)(Lossless.TestCase)
