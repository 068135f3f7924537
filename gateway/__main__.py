"""Starts the gateway: python -m gateway --config FILE."""

from __future__ import annotations

import random
import time

from gateway.edge import Edge
from gateway.quality import Quality
from gateway.service import Environment, Recommender
from gateway.settings import Settings
from gateway.upstreams import Upstreams
from gateway.versions import Versions
from recmesh.mesh.door import Bounds, door
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.failure import code_of
from recmesh.mesh.lag import Lag
from recmesh.mesh.limit import Limit
from recmesh.mesh.resolver import EndpointAddress
from recmesh.ops.log import Logger
from recmesh.ops.process import Process, Serving, run
from recmesh.rpc import Handlers, RpcError, tx


async def start(process: Process, settings: Settings) -> Serving:
    """Returns when the gateway knows its services, or has waited long enough for them."""
    given = Surroundings(process.clock, random.Random(), process.registry)

    def connect(address: EndpointAddress) -> tx.Endpoint:
        endpoint = tx.Endpoint(process.reactor, address.address, node_id=process.name)
        process.on_stop(endpoint.close)
        return endpoint

    upstreams = Upstreams(settings, Connections(connect), given)
    versions = Versions(upstreams, process.clock, Logger("gateway.versions"))
    await versions.begin(settings.start_seconds)
    process.in_background("polling for versions", versions.keep_polling(settings.version_poll_seconds))
    bounds = Bounds(
        usual_seconds=settings.usual_seconds,
        longest_seconds=settings.longest_seconds,
        access_log_share=settings.access_log_share,
    )
    lag = Lag(process.clock)
    process.in_background("measuring how late it is", lag.watch())
    way_in = door(given, Logger("recmesh.access"), settings.admission, bounds, lag)
    handlers = Handlers()
    recommender = Recommender(settings, upstreams, versions, _environment(process, settings, way_in.limit))
    recommender.register(handlers)
    process.in_background("following events for who watches", recommender.watches.follow())
    process.on_drain(recommender.watches.stop)
    return Serving(handlers, ("recmesh.v1.Recommender",), (Edge(settings.trusted), *way_in.filters))


def _environment(process: Process, settings: Settings, limit: Limit) -> Environment:
    degraded = process.registry.counter(
        "recmesh_gateway_degraded_total", "Stages that requests had to do without.", "stage", "code"
    )

    def on_away(stage: str, error: RpcError) -> None:
        degraded.add(1, stage, code_of(error))

    quality = Quality(process.clock, settings.quality_target, settings.quality_least, lambda: limit.fullness)
    shown = process.registry.gauge("recmesh_gateway_quality", "Of the optional work, how much is done.")
    shown.ask(lambda: quality.factor)
    return Environment(process.clock, time.time, random.SystemRandom(), on_away, quality)


if __name__ == "__main__":
    run("gateway", Settings, start)
