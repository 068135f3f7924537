"""A closed loop of Recommend calls, and what came of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from benchmarks.timeline import Sample, Timeline
from recmesh.client import RpcError, aio

IN_FLIGHT: Final = 16
SECONDS: Final = 20.0  # of each load
BEFORE: Final = 6.0  # of them, until something happens
COUNT: Final = 10
USERS: Final = 610  # of the shipped ratings, numbered from 1


class Load:
    """Calls through `clients`, IN_FLIGHT at a time, from entering to leaving."""

    def __init__(self, *clients: aio.Client, in_flight: int = IN_FLIGHT, timeout: float | None = None) -> None:
        self.seen = Timeline()
        self._clients, self._in_flight, self._timeout = clients, in_flight, timeout
        self._going = True
        self._callers: list[asyncio.Task[None]] = []
        self._begin = 0.0

    async def __aenter__(self) -> Self:
        self._begin = time.monotonic()
        self._callers = [asyncio.create_task(self._call(number)) for number in range(self._in_flight)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._going = False
        await asyncio.gather(*self._callers)

    async def lasts(self, seconds: float) -> None:
        """Until the load has lasted so long."""
        await asyncio.sleep(max(0.0, self._begin + seconds - time.monotonic()))

    def struck(self) -> None:
        self.seen.struck = time.monotonic()

    def ended(self) -> None:
        self.seen.ended = time.monotonic()

    async def _call(self, number: int) -> None:
        place = number
        while self._going:
            begin = time.monotonic()
            error, lost = "", tuple[str, ...]()
            try:
                client = self._clients[place % len(self._clients)]
                answer = await client.recommend(str(1 + place * 31 % USERS), count=COUNT, timeout=self._timeout)
                lost = answer.degraded
                if len(answer.items) != COUNT:
                    error = f"{len(answer.items)} items instead of {COUNT}"
            except RpcError as failure:
                error = str(failure)
            self.seen.samples.append(Sample(begin, time.monotonic() - begin, error, lost))
            place += self._in_flight


async def under_load(*clients: aio.Client, strike: Callable[[], Awaitable[object]], least: float = SECONDS) -> Timeline:
    """The calls before, during and after `strike`, for `least` seconds or until it is over."""
    async with Load(*clients) as load:
        await load.lasts(BEFORE)
        load.struck()
        await strike()
        await load.lasts(least)
    return load.seen
