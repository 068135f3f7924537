"""Starts the gateway: python -m gateway --config FILE."""

from __future__ import annotations

import random
import time

from gateway.service import Environment, Recommender
from gateway.settings import Settings
from gateway.upstreams import Upstreams
from gateway.versions import Versions
from recmesh.mesh.door import Bounds, door
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.failure import code_of
from recmesh.mesh.lag import Lag
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
    handlers = Handlers()
    Recommender(settings, upstreams, versions, _environment(process)).register(handlers)
    bounds = Bounds(
        usual_seconds=settings.usual_seconds,
        longest_seconds=settings.longest_seconds,
        access_log_share=settings.access_log_share,
    )
    lag = Lag(process.clock)
    process.in_background("measuring how late it is", lag.watch())
    way_in = door(given, Logger("recmesh.access"), settings.admission, bounds, lag)
    return Serving(handlers, ("recmesh.v1.Recommender",), way_in.filters)


def _environment(process: Process) -> Environment:
    degraded = process.registry.counter(
        "recmesh_gateway_degraded_total", "Stages that requests had to do without.", "stage", "code"
    )

    def on_away(stage: str, error: RpcError) -> None:
        degraded.add(1, stage, code_of(error))

    return Environment(process.clock, time.time, random.SystemRandom(), on_away)


if __name__ == "__main__":
    run("gateway", Settings, start)
