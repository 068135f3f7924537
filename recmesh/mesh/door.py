"""The way of a call into a process: which policies it meets before its handler, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from recmesh.mesh.access_log import AccessLog, Log
from recmesh.mesh.criticality import Criticality
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.gradient import Gradient
from recmesh.mesh.lag import Lag
from recmesh.mesh.limit import Fixed, Limit, Size
from recmesh.mesh.metrics import Metrics
from recmesh.mesh.quota import Quota
from recmesh.mesh.timeout import Timeout
from recmesh.mesh.trace import Trace
from recmesh.rpc import Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a process lets in."""

    limit: str = "gradient"  # found from how long calls take; or "fixed": the number below
    fixed: int = 64  # calls at once
    initial: int = 20  # of a gradient, until the first calls are answered
    least: int = 4
    most: int = 256
    tolerance: float = 1.5  # how many times as long as usual calls may take before the limit shrinks
    most_streams: int = 1_024  # open at once; they hold no place
    waiting_seconds: float = 0.05  # a call may wait for a place; a burst is over by then or it is none
    lag_sheddable_seconds: float = 0.1  # that the process may be behind before it refuses SHEDDABLE
    lag_critical_seconds: float = 0.25  # and before it refuses all but CRITICAL_PLUS
    failures_logged_per_second: float = 20.0  # lines for calls that failed

    def __post_init__(self) -> None:
        if self.limit not in ("gradient", "fixed"):
            raise ValueError(f'limit = "{self.limit}" is none of gradient, fixed')
        for key in ("fixed", "least", "most", "initial", "most_streams"):
            self._check(key, 1, 100_000)
        if not self.least <= self.initial <= self.most:
            raise ValueError(f"initial = {self.initial} is outside least to most, {self.least} to {self.most}")
        self._check("tolerance", 1.0, 100.0)
        for key in ("waiting_seconds", "lag_sheddable_seconds", "lag_critical_seconds"):
            self._check(key, 0.0, 60.0)
        self._check("failures_logged_per_second", 1.0, 100_000.0)

    def _check(self, key: str, least: float, most: float) -> None:
        value = getattr(self, key)
        if not least <= value <= most:
            raise ValueError(f"{key} = {value:g} is outside {least:g} to {most:g}")

    def size(self) -> Size:
        if self.limit == "fixed":
            return Fixed(self.fixed)
        return Gradient(self.initial, self.least, self.most, self.tolerance)


USUAL: Final = Admission()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The time a call may take, how many a caller may make, and how many of those that succeed are logged."""

    usual_seconds: float = 5.0  # for a call that comes without a deadline
    longest_seconds: float = 30.0  # for any call
    access_log_share: float = 0.01
    quota_per_second: float = 0.0  # calls of each principal; 0: as many as it likes
    quota_burst_seconds: float = 1.0  # for so long a principal may have saved up


@dataclass(frozen=True, slots=True)
class Door:
    """The filters of a server, outermost first; and the one that limits, for whoever wants to know how full it is."""

    filters: Sequence[Filter]
    limit: Limit


def door(
    given: Surroundings,
    log: Log,
    admission: Admission = USUAL,
    bounds: Bounds = Bounds(),
    lag: Lag | None = None,
) -> Door:
    """`lag`: measured by somebody; without it the process is taken to be in time."""
    clock, rng = given.clock, given.rng
    on_refused = _refusals(given)
    limit = _limit(given, admission, lag or Lag(clock), on_refused)
    filters: Sequence[Filter] = (
        Trace(rng),  # outermost: the log names the trace, and calls made on behalf of this one continue it
        Metrics(clock, given.recorder, "rpc_server_call_duration_seconds", "Calls that this process answered."),
        # Beside the metrics: refusals are seen as well.
        AccessLog(clock, log, rng, bounds.access_log_share, admission.failures_logged_per_second),
        *_quota(given, bounds, on_refused),  # before the limit: what is over it takes nobody's place
        limit,  # before anything that costs
        # Innermost: bounds the handler alone. The connection keeps the deadline that a call came with.
        Timeout(clock, bounds.longest_seconds, bounds.usual_seconds, kept=True),
    )
    return Door(filters, limit)


Refused: TypeAlias = Callable[[str, Criticality], None]
"""Told of the cause."""


def _refusals(given: Surroundings) -> Refused:
    refused = given.recorder.counter(
        "recmesh_admission_refused_total", "Calls refused before a handler saw them.", "cause", "criticality"
    )
    return lambda cause, rank: refused.add(1, cause, rank.name)


def _quota(given: Surroundings, bounds: Bounds, on_refused: Refused) -> Sequence[Filter]:
    if not bounds.quota_per_second:
        return ()
    rate, burst = bounds.quota_per_second, bounds.quota_burst_seconds
    return (Quota(given.clock, given.rng, rate, burst, on_refused=on_refused),)


def _limit(given: Surroundings, admission: Admission, lag: Lag, on_refused: Refused) -> Limit:
    recorder = given.recorder
    limit = Limit(
        given.clock,
        given.rng,
        admission.size(),
        patience=admission.waiting_seconds,
        most_streams=admission.most_streams,
        lag=lag.of_call,
        lag_sheds_sheddable=admission.lag_sheddable_seconds,
        lag_sheds_critical=admission.lag_critical_seconds,
        on_refused=on_refused,
    )
    recorder.gauge("recmesh_admission_limit", "Calls taken at once.").ask(lambda: limit.size.limit)
    recorder.gauge("recmesh_admission_in_flight", "Calls that hold a place.").ask(lambda: limit.in_flight)
    recorder.gauge("recmesh_admission_waiting", "Calls that wait for a place.").ask(lambda: limit.waiting)
    recorder.gauge("recmesh_lag_seconds", "How late timers fire.").ask(lambda: lag.seconds)
    recorder.gauge("recmesh_admission_streams", "Streams that are open.").ask(lambda: limit.streams)
    return limit
