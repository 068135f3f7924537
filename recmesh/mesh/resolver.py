"""Resolver: which endpoints a service has, told again whenever that changes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

from recmesh.mesh.metrics import Recorder
from recmesh.rpc import Clock

KEEP_SECONDS: Final = 300.0
"""For so long the last endpoints are used although there are said to be none: a mesh that works must not stop working
because an answer was wrong, and a service without any process is rare."""


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """One process of a service. `id` stays when the address changes, as a pod's name does."""

    id: str
    address: str  # host:port
    shard: int = 0
    zone: str = ""
    weight: float = 1.0  # its share of the calls, against that of the others
    ready: bool = True  # by what whoever runs it says


Told: TypeAlias = Callable[[Sequence[EndpointAddress]], None]


class Resolver(Protocol):
    """Knows the endpoints of one service."""

    def watch(self, told: Told) -> None:
        """Calls `told` at once with what is known, and with all of it again whenever that changes."""
        ...


class Static:
    """Endpoints that are written in the configuration."""

    def __init__(self, endpoints: Iterable[EndpointAddress]) -> None:
        self._endpoints = tuple(endpoints)

    @classmethod
    def of(cls, *shards: Iterable[str]) -> Static:
        """From the addresses of each shard; a service without shards has one."""
        return cls(EndpointAddress(each, each, shard) for shard, addresses in enumerate(shards) for each in addresses)

    def snapshot(self) -> tuple[EndpointAddress, ...]:
        return self._endpoints

    def watch(self, told: Told) -> None:
        told(self._endpoints)


class Log(Protocol):
    """Where lines go, for example a `recmesh.ops.log.Logger`."""

    def info(self, message: str, **fields: Any) -> None: ...

    def warning(self, message: str, **fields: Any) -> None: ...


class Silent:
    """A Log that nobody reads."""

    def info(self, message: str, **fields: Any) -> None: ...

    def warning(self, message: str, **fields: Any) -> None: ...


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


class Source(Protocol):
    """A Resolver that has to be kept going."""

    def watch(self, told: Told) -> None: ...

    async def run(self) -> None:
        """Asks again and again; never returns."""
        ...


Look: TypeAlias = Callable[[], Awaitable[Sequence[EndpointAddress] | None]]
"""Asks once: the endpoints, or None where nothing has changed. Raises LookError."""


class LookError(Exception):
    """A source could not be asked, or what it says cannot be read; the message says why."""


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
        except LookError as error:
            self._known.fail(str(error))
            return
        if found is not None:
            self._known.learn(found)


class Together:
    """What several resolvers know, as one, for one shard. Is a Resolver."""

    def __init__(self, resolvers: Sequence[Resolver], shard: int = 0) -> None:
        self._resolvers = tuple(resolvers)
        self._shard = shard

    def watch(self, told: Told) -> None:
        parts: list[Sequence[EndpointAddress]] = [()] * len(self._resolvers)
        complete = False

        def tell() -> None:
            if complete:
                every = {each.id: each for part in parts for each in part}
                told([replace(each, shard=self._shard) for each in every.values()])

        for place, resolver in enumerate(self._resolvers):

            def part(endpoints: Sequence[EndpointAddress], place: int = place) -> None:
                parts[place] = endpoints
                tell()

            resolver.watch(part)
        complete = True
        tell()
