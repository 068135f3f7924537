"""Budget: how many attempts beyond the first there may be, as a share of the calls.

It protects a service in trouble from its callers. A fixed number of attempts multiplies the load just when every
attempt fails, and keeps an outage going after its cause has passed; a share of the traffic adds a tenth at most.
The window and the floor are those of Finagle's RetryBudget, the tenth is the token ratio that gRPC A6 suggests.
"""

from __future__ import annotations

from typing import Final

from recmesh.mesh.window import Window
from recmesh.rpc import Clock

UNIT: Final = 1000  # thousandths of an attempt are counted: ten tenths have to make one


class Budget:
    """One for a process and an upstream service, shared by retries and hedges.

    A first attempt earns `earn`, any further one costs 1, and both are forgotten after `ttl` seconds. Where there is
    little traffic, `floor` a second may be spent all the same: over any time, attempts stay within
    (1 + earn) x calls + floor x (that time + ttl).
    """

    def __init__(self, clock: Clock, earn: float = 0.1, ttl: float = 10.0, floor: float = 1.0) -> None:
        self._clock = clock
        self._earn = round(earn * UNIT)
        self._reserve = round(floor * ttl * UNIT)
        self._saved = Window(ttl)

    @property
    def level(self) -> float:
        """Attempts that could be paid for at this moment."""
        return max(0, self._reserve + self._saved.total(self._clock.seconds())) / UNIT

    def earned(self) -> None:
        """To be called at every first attempt."""
        self._saved.add(self._clock.seconds(), self._earn)

    def spend(self) -> bool:
        """Whether another attempt is paid for."""
        now = self._clock.seconds()
        if self._reserve + self._saved.total(now) < UNIT:
            return False
        self._saved.add(now, -UNIT)
        return True
