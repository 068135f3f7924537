"""Metrics: how long calls take and how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from google.protobuf.message import Message

from recmesh.mesh.failure import code_of
from recmesh.rpc import Call, Clock, Service, Status

OK: Final = Status.OK.name


class Histogram(Protocol):
    """Takes the durations of calls, apart by the values of its labels."""

    def observe(self, value: float, *values: str) -> None: ...


class Counter(Protocol):
    """Counts, apart by the values of its labels."""

    def add(self, amount: float, *values: str) -> None: ...

    def ask(self, source: Callable[[], float], *values: str) -> None:
        """`source` is called whenever somebody looks; it must be quick, and what it gives may never shrink."""
        ...


class Gauge(Protocol):
    """Shows a number, apart by the values of its labels."""

    def ask(self, source: Callable[[], float], *values: str) -> None:
        """`source` is called whenever somebody looks; it must be quick."""
        ...

    def forget(self, *values: str) -> None:
        """What these labels stood for is gone."""
        ...


class Recorder(Protocol):
    """Where metrics are kept, for example `recmesh.ops.registry.Registry`."""

    def counter(self, name: str, help_text: str, *labels: str) -> Counter: ...

    def gauge(self, name: str, help_text: str, *labels: str) -> Gauge: ...

    def histogram(self, name: str, help_text: str, *labels: str) -> Histogram: ...


class Unrecorded:
    """A Recorder that keeps nothing: for a client, in whose program metrics are somebody else's."""

    def counter(self, name: str, help_text: str, *labels: str) -> Unrecorded:
        return self

    def gauge(self, name: str, help_text: str, *labels: str) -> Unrecorded:
        return self

    def histogram(self, name: str, help_text: str, *labels: str) -> Unrecorded:
        return self

    def add(self, amount: float, *values: str) -> None: ...

    def ask(self, source: Callable[[], float], *values: str) -> None: ...

    def forget(self, *values: str) -> None: ...

    def observe(self, value: float, *values: str) -> None: ...


class Metrics:
    """Records how long calls take, by method and status; `labels` hold the same values for all of them."""

    def __init__(self, clock: Clock, recorder: Recorder, name: str, help_text: str, **labels: str) -> None:
        self._seconds = clock.seconds
        self._values = tuple(labels.values())
        self._durations = recorder.histogram(name, help_text, *labels, "method", "code")

    async def __call__(self, call: Call, service: Service) -> Message:
        begin = self._seconds()
        try:
            reply = await service(call)
        except BaseException as error:
            self._durations.observe(self._seconds() - begin, *self._values, call.method.path, code_of(error))
            raise
        self._durations.observe(self._seconds() - begin, *self._values, call.method.path, OK)
        return reply
