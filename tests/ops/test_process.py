"""A process from start to stop, on a clock and ports that the test holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from recmesh.ops.process import RELEASE_SECONDS, Life, Process, Serving, StartError
from recmesh.ops.settings import ProcessSettings
from recmesh.rpc.call import Handlers

SETTINGS = ProcessSettings(listen="127.0.0.1:7300", drain_accept_seconds=5.0, drain_grace_seconds=20.0)


class World(MemoryReactorClock):
    """A process, the reactor below it and what it announced."""

    def __init__(self, taken: int = 0) -> None:
        super().__init__()
        self.announced: list[str] = []
        self.events: list[str] = []
        self.started: Deferred[None] = Deferred()
        self.taken = taken
        self.process = Process("ranking", cast(PosixReactorBase, self), SETTINGS)
        self.life = Life(self.process, SETTINGS, self.start, self.announced.append)
        self.outcomes: list[Any] = []

    def listenTCP(self, port: int, *arguments: Any, **named: Any) -> Any:
        if port == self.taken:
            raise CannotListenError("", port, OSError(98, "Address already in use"))
        return super().listenTCP(port, *arguments, **named)

    async def start(self, process: Process, settings: ProcessSettings) -> Serving:
        await self.started
        self.events.append("started")
        return Serving(Handlers(), ["recmesh.v1.Ranking"])

    def run(self) -> World:
        Deferred.fromCoroutine(self.life.run()).addBoth(self.outcomes.append)
        return self

    def serve(self) -> World:
        self.run().started.callback(None)
        return self

    def release(self, name: str, answer: Callable[[], Awaitable[None]] | None = None) -> None:
        async def release() -> None:
            self.events.append(name)
            if answer is not None:
                await answer()

        self.process.on_stop(release)

    @property
    def ports(self) -> list[int]:
        return [server[0] for server in self.tcpServers]


def test_the_admin_port_answers_while_the_process_starts() -> None:
    world = World().run()
    assert world.ports == [7350] and not world.process.health.serving and not world.announced
    world.started.callback(None)
    assert world.ports == [7350, 7300] and world.process.health.serving
    assert '"name": "ranking"' in world.announced[0]


def test_asked_to_stop_it_says_so_at_once_and_accepts_for_a_while() -> None:
    world = World().serve()
    world.life.ask_to_stop()
    world.life.ask_to_stop()
    assert not world.process.health.serving and world.process.health.reason == "draining"
    world.advance(SETTINGS.drain_accept_seconds - 0.1)
    assert not world.outcomes
    world.pump([0.1] * 20)
    assert world.outcomes == [None]


def test_asked_to_stop_before_it_serves_it_never_does() -> None:
    world = World().run()
    world.release("closed")
    world.life.ask_to_stop()
    assert world.outcomes == [None] and world.events == ["closed"] and not world.announced


def test_asked_to_stop_before_it_starts_it_does_not_start() -> None:
    world = World()
    world.life.ask_to_stop()
    world.run()
    assert world.outcomes == [None] and not world.events


def test_parts_close_in_the_reverse_of_their_order() -> None:
    world = World().run()
    world.release("store")
    world.release("cache")
    world.life.ask_to_stop()
    assert world.events == ["cache", "store"]


def test_a_part_that_fails_or_hangs_keeps_no_other_from_closing() -> None:
    async def fail() -> None:
        raise RuntimeError("no")

    def hang() -> Awaitable[None]:
        return Deferred()

    world = World().run()
    world.release("store")
    world.release("broken", fail)
    world.release("hanging", hang)
    world.life.ask_to_stop()
    assert world.events == ["hanging"]
    world.advance(RELEASE_SECONDS)
    assert world.events == ["hanging", "broken", "store"] and world.outcomes == [None]


def test_work_in_the_background_ends_with_the_process() -> None:
    async def work() -> None:
        try:
            await Deferred()
        finally:
            world.events.append("work ended")

    world = World().run()
    world.process.in_background("waiting", work())
    assert not world.events
    world.life.ask_to_stop()
    assert world.events == ["work ended"] and world.outcomes == [None]


def test_work_in_the_background_that_fails_is_logged_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise RuntimeError("no")

    world = World().serve()
    world.process.in_background("counting", work())
    assert world.process.health.serving and not world.outcomes
    [record] = [each for each in caplog.records if each.exc_info]
    assert record.getMessage() == "work in the background has failed"
    assert record.__dict__["fields"] == {"work": "counting"}


def test_a_start_that_fails_is_cleaned_up_and_told() -> None:
    world = World().run()
    world.release("store")
    world.started.errback(StartError("no bundle"))
    [outcome] = world.outcomes
    assert isinstance(outcome, Failure) and str(outcome.value) == "no bundle"
    assert world.events == ["store"] and not world.announced


@pytest.mark.parametrize(("port", "key"), [(7350, "admin"), (7300, "listen")])
def test_a_taken_port_is_a_sentence(port: int, key: str) -> None:
    world = World(taken=port).serve()
    [outcome] = world.outcomes
    assert str(outcome.value) == f"127.0.0.1:{port} is in use: stop the other process or set {key}"
    assert isinstance(outcome.value, StartError)
