"""Throttle: a caller that is refused much asks less.

It protects a service that has too much to do from the work of refusing, which alone can be too much: the adaptive
throttling of the SRE book ("Handling Overload"), whose factor of 2 is SHARE here. What is dropped costs the service
nothing; what is let through keeps finding out whether it has recovered.
"""

from __future__ import annotations

import random
from typing import Final

from google.protobuf.message import Message

from recmesh.mesh.criticality import Criticality
from recmesh.mesh.failure import endpoint_refused
from recmesh.mesh.limit import EXEMPT
from recmesh.mesh.window import Window
from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status

SHARE: Final = 0.5  # of the calls accepted: nothing is dropped, for a healthy service refuses now and then
MOST: Final = 0.75  # dropped: with fewer calls let through, a recovery would be noticed late


class Throttle:
    """Drops calls with p = min(MOST, (requests - accepts / SHARE) / (requests + 1)) over the last `seconds`.

    A request counts when it has its outcome, so that many in flight are not taken for many refused.
    """

    def __init__(self, clock: Clock, rng: random.Random, seconds: float = 30.0) -> None:
        self.dropped = 0
        self._clock = clock
        self._rng = rng
        self._seconds = seconds
        self._requests = Window(seconds)
        self._refusals = Window(seconds)
        self._refused = False  # of late, or maybe longer ago: most of the time there is nothing to work out

    @property
    def probability(self) -> float:
        """With which the next call is dropped."""
        if not self._refused:
            return 0.0
        now = self._clock.seconds()
        requests, refusals = self._requests.total(now), self._refusals.total(now)
        self._refused = refusals > 0
        return max(0.0, min(MOST, (requests - (requests - refusals) / SHARE) / (requests + 1)))

    async def __call__(self, call: Call, service: Service) -> Message:
        if call.context.criticality == Criticality.CRITICAL_PLUS or call.method.path.startswith(EXEMPT):
            return await service(call)
        probability = self.probability
        if probability and self._rng.random() < probability:
            raise self._drop(call)
        try:
            return await service(call)
        except RpcError as error:
            if endpoint_refused(error):
                self._refused = True
                self._refusals.add(self._clock.seconds())
            raise
        finally:
            self._requests.add(self._clock.seconds())

    def _drop(self, call: Call) -> RpcError:
        """What is not sent counts as refused."""
        self.dropped += 1
        now = self._clock.seconds()
        self._requests.add(now)
        self._refusals.add(now)
        message = (
            f"{call.method.path} was not sent: over half of the calls of the last {self._seconds:g} s were refused,"
            f" and {self.probability:.0%} are held back until fewer are"
        )
        return RpcError(Status.UNAVAILABLE, message, processed=Processed.NOT_SENT, origin=Origin.CLIENT)
