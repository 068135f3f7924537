"""Known, Polled: what a source of endpoints told last, and how it is asked again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from recmesh.mesh.failure import is_cancel
from recmesh.mesh.log import Log
from recmesh.mesh.metrics import Recorder
from recmesh.mesh.resolver import EndpointAddress, Told
from recmesh.rpc import Clock

KEEP_SECONDS: Final = 300.0
"""For so long the last endpoints are used although there are said to be none: a mesh that works must not stop working
because an answer was wrong, and a service without any process is rare."""


class Known:
    """The endpoints that one source told last, and for how long they are to be believed. Is a Resolver.

    A source that fails is no reason to let go of endpoints that answer: ejection finds those that do not. One that says
    that there are none is believed after five minutes.
    """

    def __init__(self, source: str, clock: Clock, recorder: Recorder, log: Log, keep: float = KEEP_SECONDS) -> None:
        self.endpoints: tuple[EndpointAddress, ...] = ()
        self._source = source
        self._clock = clock
        self._log = log
        self._keep = keep
        self._good_at = clock.seconds()
        self._trouble = ""
        self._watchers: list[Told] = []
        self._failures = recorder.counter(
            "recmesh_resolver_failures_total", "Answers of a source of endpoints that were empty or none.", "source"
        )
        recorder.gauge("recmesh_resolver_age_seconds", "Time since a source of endpoints told some.", "source").ask(
            lambda: clock.seconds() - self._good_at, source
        )

    def watch(self, told: Told) -> None:
        self._watchers.append(told)
        told(self.endpoints)

    def learn(self, endpoints: Iterable[EndpointAddress]) -> None:
        """What the source says there is."""
        found = tuple({each.id: each for each in endpoints}.values())
        if found:
            self._good_at = self._clock.seconds()
            if self._trouble:
                self._log.info("a source of endpoints answers", source=self._source, endpoints=len(found))
                self._trouble = ""
            self._set(found)
            return
        self._note("it names no endpoint")
        if self._clock.seconds() - self._good_at >= self._keep:
            self._set(())

    def fail(self, reason: str) -> None:
        """The source could not be asked, or gave what cannot be read."""
        self._note(reason)

    def _note(self, reason: str) -> None:
        self._failures.add(1, self._source)
        if reason != self._trouble:
            self._trouble = reason
            self._log.warning(
                "a source of endpoints fails; the last are used on",
                source=self._source, reason=reason, endpoints=len(self.endpoints),
            )  # fmt: skip

    def _set(self, endpoints: tuple[EndpointAddress, ...]) -> None:
        if endpoints != self.endpoints:
            self.endpoints = endpoints
            for told in list(self._watchers):
                told(endpoints)


Look: TypeAlias = Callable[[], Awaitable[Sequence[EndpointAddress] | None]]
"""Asks once: the endpoints, or None where nothing has changed. Raises LookError."""


class LookError(Exception):
    """A source could not be asked, or what it says cannot be read; the message says why."""


def reason_of(error: Exception) -> str:
    return str(error) if isinstance(error, LookError) else repr(error)


class Polled:
    """A source that is asked every so often. Is a Resolver."""

    def __init__(
        self, known: Known, look: Look, clock: Clock, rng: random.Random, seconds: float, spread: float = 0.0
    ) -> None:
        """`spread`: a share of `seconds`, either way, so that many callers do not ask at once."""
        self._known = known
        self._look = look
        self._clock = clock
        self._rng = rng
        self._seconds = seconds
        self._spread = spread

    def watch(self, told: Told) -> None:
        self._known.watch(told)

    async def run(self) -> None:
        while True:
            await self.look()
            await self._clock.sleep(self._seconds * self._rng.uniform(1 - self._spread, 1 + self._spread))

    async def look(self) -> None:
        try:
            found = await self._look()
        except Exception as error:  # whatever a source stumbles over, it is asked again
            if is_cancel(error):
                raise
            self._known.fail(reason_of(error))
            return
        if found is not None:
            self._known.learn(found)
