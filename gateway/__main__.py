"""Starts the gateway: python -m gateway --config FILE."""

from __future__ import annotations

import os
import random
import time

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from gateway.edge import Edge
from gateway.quality import Quality
from gateway.service import Environment, Recommender
from gateway.settings import Settings
from gateway.upstreams import Upstreams
from gateway.versions import Versions
from recmesh.discovery.sources import Discovery
from recmesh.mesh.authorise import authorised
from recmesh.mesh.door import Bounds, door
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.failure import code_of
from recmesh.mesh.lag import Lag
from recmesh.mesh.limit import Limit
from recmesh.mesh.replica import Endpoint
from recmesh.mesh.resolver import EndpointAddress
from recmesh.ops.log import Logger
from recmesh.ops.process import Process, Serving, run
from recmesh.rpc import Handlers, RpcError, tx


async def start(process: Process, settings: Settings) -> Serving:
    """Returns when the gateway knows its services, or has waited long enough for them."""
    rng, log = random.Random(), Logger("gateway.upstreams")
    given = Surroundings(process.clock, rng, process.registry, log, process.name, settings.zone)
    discovery = Discovery(process.reactor, rng, process.registry, log, process.in_background, os.environ)
    outward = Outward(process)
    upstreams = Upstreams(settings, Connections(outward.connect, outward.release), given, discovery.resolver)
    versions = Versions(upstreams, process.clock, Logger("gateway.versions"))
    await versions.begin(settings.start_seconds)
    process.in_background("polling for versions", versions.keep_polling(settings.version_poll_seconds))
    bounds = Bounds(
        usual_seconds=settings.usual_seconds,
        longest_seconds=settings.longest_seconds,
        access_log_share=settings.access_log_share,
        quota_per_second=settings.quota_per_second,
        quota_burst_seconds=settings.quota_burst_seconds,
    )
    lag = Lag(process.clock)
    process.in_background("measuring how late it is", lag.watch())
    way_in = door(given, Logger("recmesh.access"), settings.admission, bounds, lag)
    handlers = Handlers()
    recommender = Recommender(settings, upstreams, versions, _environment(process, settings, way_in.limit))
    recommender.register(handlers)
    process.in_background("following events for who watches", recommender.watches.follow())
    process.on_drain(recommender.watches.stop)
    filters = (Edge(settings.trusted), *way_in.filters, *authorised(settings.allow))
    return Serving(handlers, ("recmesh.v1.Recommender",), filters)


class Outward:
    """The connections to other processes, which end with this one."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._open: set[tx.Endpoint] = set()
        process.on_stop(self._close)

    def connect(self, where: EndpointAddress) -> tx.Endpoint:
        process = self._process
        endpoint = tx.Endpoint(process.reactor, where.address, node_id=process.name, tls=process.certificates.client)
        self._open.add(endpoint)
        return endpoint

    def release(self, endpoint: Endpoint) -> None:
        """Of a process that has left, with no call in flight."""
        if isinstance(endpoint, tx.Endpoint) and endpoint in self._open:
            self._open.remove(endpoint)
            Deferred.fromCoroutine(endpoint.close()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        Logger("gateway.upstreams").error("a connection did not close", failure.value)

    async def _close(self) -> None:
        await self._process.clock.settled(*(each.close() for each in self._open))


def _environment(process: Process, settings: Settings, limit: Limit) -> Environment:
    degraded = process.registry.counter(
        "recmesh_gateway_degraded_total", "Stages that requests had to do without.", "stage", "code"
    )

    def on_away(stage: str, error: RpcError) -> None:
        degraded.add(1, stage, code_of(error))

    quality = Quality(
        process.clock, settings.quality_target_seconds, settings.quality_least_share, lambda: limit.fullness
    )
    shown = process.registry.gauge("recmesh_gateway_quality", "Of the optional work, how much is done.")
    shown.ask(lambda: quality.factor)
    return Environment(process.clock, time.time, random.SystemRandom(), on_away, quality, limit)


if __name__ == "__main__":
    run("gateway", Settings, start)
