"""From settings to a retrieval process that has caught up with its peers."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from recmesh.mesh.timeout import Timeout
from recmesh.ops.log import Logger
from recmesh.ops.process import Process, Serving
from recmesh.rpc import Channel, stack
from recmesh.rpc.status import RpcError
from recmesh.v1.retrieval_rpc import RetrievalStub
from services.common.models import Models
from services.common.start import open_versions, serving
from services.common.state import StateFolder
from services.common.workers import start_workers
from services.retrieval.catalogue import Catalogue, bring_up_to_date, build_replica
from services.retrieval.catchup import CatchUp
from services.retrieval.changes import ChangeLog
from services.retrieval.service import Retrieval
from services.retrieval.settings import Settings

PEER_SECONDS: Final = 5.0  # for a page of changes; a peer that takes longer is asked again the next time


async def start(process: Process, settings: Settings) -> Serving:
    shard, shards = settings.shard, settings.shards
    folder = StateFolder(settings.state)
    process.on_stop(folder.release)
    log = ChangeLog(folder.path, process.reactor.callFromThread, time.time, shard, shards)
    process.on_stop(log.close)
    workers = start_workers(process)
    build = partial(build_replica, log=log, shard=shard, shards=shards)
    versions = await open_versions(settings, workers, build, partial(bring_up_to_date, log=log))
    catalogue = Catalogue(log, versions)
    if settings.other_replicas:
        await _catch_up(process, settings, catalogue)
    items = process.registry.gauge("recmesh_retrieval_items", "Items of the newest version, put ones included.")
    items.ask(lambda: len(versions.get("").model.items))
    service = Retrieval(catalogue, shard, shards, workers)
    return serving(process, settings, "Retrieval", service, Models(versions, shard, shards))


async def _catch_up(process: Process, settings: Settings, catalogue: Catalogue) -> None:
    """Once before the process serves, but not for long: all replicas may be starting. Then every few seconds."""
    peers = settings.other_replicas
    patience = Timeout(process.clock, PEER_SECONDS)
    stubs = {each: RetrievalStub(Channel(stack(patience, to=process.endpoint(each)))) for each in peers}
    catch_up = CatchUp(process.clock, catalogue, stubs, settings.shard, settings.shards)
    try:
        await process.clock.within(settings.catch_up_start_seconds, catch_up.once())
    except RpcError as error:
        Logger("recmesh.process").warning("serving before all peers were heard", error=error.message)
    process.in_background("catching up with peers", catch_up.run(settings.catch_up_poll_seconds))
