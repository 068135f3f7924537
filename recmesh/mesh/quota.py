"""Quota: how many calls a second each caller may make, so that one of them does not take the room of all others.

A token bucket for each principal: it holds what may come at once, and fills at the rate of the quota.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from recmesh.mesh.criticality import Criticality, criticality_of
from recmesh.mesh.limit import EXEMPT
from recmesh.rpc import Call, Clock, Origin, Processed, RpcError, Service, Status

MOST_PRINCIPALS: Final = 10_000  # remembered; whoever was not heard of for longest is forgotten, and may begin anew
LATER: Final = 1.5  # times as long as it takes, at most, is to be waited, so that calls do not come back together

RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class Quota:
    """Refuses the calls of a principal that makes too many, and says when to come back. Is a Filter.

    Callers without a certificate have no principal, and one quota together. What is CRITICAL_PLUS is let in and not
    counted; who is not trusted can say that of nothing.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        per_second: float,
        burst_seconds: float = 1.0,
        *,
        most_principals: int = MOST_PRINCIPALS,
        on_refused: Callable[[str, Criticality], None] = lambda cause, rank: None,
    ) -> None:
        """`burst_seconds`: for so long a principal may have saved up."""
        self._clock = clock
        self._rng = rng
        self._rate = per_second
        self._most = max(1.0, per_second * burst_seconds)
        self._most_principals = most_principals
        self._on_refused = on_refused
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()  # whoever was heard of last comes last

    def __len__(self) -> int:
        return len(self._buckets)

    async def __call__(self, call: Call, service: Service) -> Message:
        rank = criticality_of(call.context)
        if rank is not Criticality.CRITICAL_PLUS and not call.method.path.startswith(EXEMPT):
            bucket = self._filled(call.context.principal)
            if bucket.tokens < 1.0:
                self._on_refused("quota", rank)
                raise self._refused((1.0 - bucket.tokens) / self._rate)
            bucket.tokens -= 1.0
        return await service(call)

    def _filled(self, principal: str) -> _Bucket:
        now, buckets = self._clock.seconds(), self._buckets
        bucket = buckets.get(principal)
        if bucket is None:
            if len(buckets) >= self._most_principals:
                buckets.popitem(last=False)
            bucket = buckets[principal] = _Bucket(self._most, now)
            return bucket
        buckets.move_to_end(principal)
        bucket.tokens = min(self._most, bucket.tokens + self._rate * (now - bucket.at))
        bucket.at = now
        return bucket

    def _refused(self, seconds: float) -> RpcError:
        """As an application answers: the process is well, and no other one is to be asked at once instead."""
        milliseconds = max(1, round(1000 * seconds * self._rng.uniform(1.0, LATER)))
        return RpcError(
            Status.RESOURCE_EXHAUSTED,
            f"the quota is {self._rate:g} calls a second; come back in {milliseconds} ms",
            processed=Processed.YES,
            origin=Origin.SERVER,
            pushback_ms=milliseconds,
            details=(retry_info(milliseconds),),
        )


def retry_info(milliseconds: int) -> Any:
    """google.rpc.RetryInfo, whose only field, number 1, is a Duration; its package is not worth a dependency."""
    delay = Duration()
    delay.FromMilliseconds(milliseconds)
    value = delay.SerializeToString()
    return Any(type_url=RETRY_INFO, value=bytes((1 << 3 | 2, len(value))) + value)
