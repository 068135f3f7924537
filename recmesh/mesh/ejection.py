"""Ejection: an endpoint that keeps failing gets no calls for a while, then one, and if that succeeds all again.

Protects callers from an endpoint that is connected and wrong: full disk, broken bundle, a process that answers errors
faster than its peers answer. As Envoy's outlier detection and gRPC's (A50) do it, by the calls that are made anyway.

    HEALTHY --5 failures in a row, or too few successes--> EJECTED(t) --t is over--> PROBATION
    PROBATION --the probe succeeds--> HEALTHY, with slow start        --it fails--> EJECTED(2t)
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from recmesh.mesh.window import Window

WINDOW: Final = 10.0  # seconds over which successes are counted


class State(Enum):
    """What an endpoint's outcomes make of it."""

    HEALTHY = "healthy"
    EJECTED = "ejected"
    PROBATION = "probation"


@dataclass(frozen=True, slots=True)
class EjectionPolicy:
    """When an endpoint is ejected and for how long; Envoy's numbers, with a shorter first time."""

    in_a_row: int = 5  # failures: one or two are an accident, and a retry hides them
    least_success: float = 0.8  # of the results in the window, for one that fails every other call
    least_results: int = 20  # in the window, below which a share means nothing
    first_seconds: float = 1.0  # doubled by every failed probe; a restart is over by the third
    most_seconds: float = 60.0
    jitter: float = 0.5  # of the time, so that many callers do not probe at once
    most_share: float = 0.34  # of the endpoints may be out at once: the others must bear the load
    panic_share: float = 0.5  # with fewer than that usable, the fault lies elsewhere and all are used


DEFAULTS: Final = EjectionPolicy()


class Health:
    """The state machine of one endpoint. A result counts only if its attempt began after the last change of state."""

    __slots__ = (
        "_failures",
        "_group",
        "_successes",
        "_times",
        "cause",
        "ejections",
        "in_a_row",
        "in_use",
        "probing",
        "since",
        "state",
        "until",
    )

    def __init__(self, group: Ejection, now: float) -> None:
        self._group = group
        self._times = 0  # ejected one after another, for the doubling
        self._successes = Window(WINDOW)
        self._failures = Window(WINDOW)
        self.in_use = True  # calls go there; of very many endpoints a caller uses some
        self.state = State.HEALTHY
        self.since = now
        self.until = 0.0  # when EJECTED ends
        self.in_a_row = 0
        self.probing = False
        self.ejections = 0
        self.cause = ""  # of the last change of state

    @property
    def failing(self) -> bool:
        """It is ejected, or would be if so many others were not."""
        return self.state is not State.HEALTHY or self.in_a_row >= self._group.policy.in_a_row

    def succeeded(self, begin: float, now: float) -> None:
        if begin < self.since:
            return
        recovers = self.failing
        self.in_a_row = 0
        if self.state is State.HEALTHY:
            self._successes.add(now)
            if recovers:
                self._group.on_spared()
        elif self.state is State.PROBATION:
            self._change(State.HEALTHY, now, "a probe succeeded")

    def failed(self, reason: str, begin: float, now: float) -> None:
        if begin < self.since:
            return
        if self.state is State.PROBATION:
            self._eject(now, f"the probe failed: {reason}")
        elif self.state is State.HEALTHY:
            self.in_a_row += 1
            self._failures.add(now)
            fault = self._fault(now)
            if fault and self._group.may_eject():
                self._eject(now, f"{fault}, the last: {reason}")
            elif fault:
                self._group.on_spared()

    def undecided(self) -> None:
        """The attempt was given up and says nothing; if it was the probe, another call is."""
        self.probing = False

    def takes_probe(self, now: float, *, safe: bool) -> bool:
        """Whether this call should be the probe; `safe`: it can be repeated when it fails.

        A call that cannot is a probe only where no other came for as long as the endpoint was ejected.
        """
        if self.state is State.EJECTED and now >= self.until:
            self._change(State.PROBATION, now, "its time is over")
        if self.state is not State.PROBATION or self.probing:
            return False
        self.probing = safe or now - self.until >= self._group.seconds(self._times)
        return self.probing

    def _fault(self, now: float) -> str:
        policy = self._group.policy
        if self.in_a_row >= policy.in_a_row:
            return f"{self.in_a_row} failures in a row"
        good = self._successes.total(now)
        results = good + self._failures.total(now)
        if results < policy.least_results or good >= policy.least_success * results:
            return ""
        return f"{good} of {results} calls within {WINDOW:g} s succeeded"

    def _eject(self, now: float, cause: str) -> None:
        if self.state is State.HEALTHY and now - self.since > self._group.policy.most_seconds:
            self._times = 0  # it was well for longer than any ejection lasts: what was before does not count
        self._times += 1
        self.ejections += 1
        self.until = now + self._group.spread(self._group.seconds(self._times))
        self._change(State.EJECTED, now, cause)

    def _change(self, state: State, now: float, cause: str) -> None:
        self.state, self.since, self.cause = state, now, cause
        self.in_a_row = 0
        self.probing = False
        self._successes, self._failures = Window(WINDOW), Window(WINDOW)
        self._group.on_change(self)


class Ejection:
    """The endpoints of one upstream, of which only so many may be ejected at once."""

    def __init__(self, rng: random.Random, policy: EjectionPolicy = DEFAULTS) -> None:
        self.policy = policy
        self.members: list[Health] = []
        self.on_change: Callable[[Health], None] = lambda health: None
        """Told of every change of state."""
        self.on_spared: Callable[[], None] = lambda: None
        """Told of every failure that would have ejected one endpoint too many, and of the success that ends them: it
        may be time to panic, or to calm down."""
        self._rng = rng

    def admit(self, now: float) -> Health:
        health = Health(self, now)
        self.members.append(health)
        return health

    def dismiss(self, health: Health) -> None:
        self.members.remove(health)

    def may_eject(self) -> bool:
        """At most 34 % of the endpoints in use, though one of two, and never the only one."""
        used = [health for health in self.members if health.in_use]
        out = sum(health.state is not State.HEALTHY for health in used)
        return len(used) > 1 and out < max(1, int(self.policy.most_share * len(used)))

    def seconds(self, times: int) -> float:
        """How long the ejection number `times` lasts, counted from 1."""
        return min(self.policy.most_seconds, self.policy.first_seconds * 2.0 ** min(times - 1, 30))

    def spread(self, seconds: float) -> float:
        return seconds * self._rng.uniform(1.0, 1.0 + self.policy.jitter)
