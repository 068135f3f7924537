"""From settings to what a service's process serves."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from models.bundle import Bundle, BundleError
from recmesh.mesh.authorise import authorised
from recmesh.mesh.door import USUAL, Admission, Bounds, door
from recmesh.mesh.endpoints import Surroundings
from recmesh.mesh.lag import Lag
from recmesh.ops.log import Logger
from recmesh.ops.process import Process, Serving, StartError
from recmesh.ops.settings import ProcessSettings
from recmesh.rpc.call import Handlers
from services.common.models import Models
from services.common.versions import Loaded, Versions
from services.common.workers import Workers

M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings(ProcessSettings):
    """What every service can be told."""

    bundle: Path  # a bundle, or a folder of versions of which the newest is loaded
    admission: Admission = USUAL


class Base(Protocol):
    """The generated base of a service."""

    def register(self, handlers: Handlers) -> None: ...


async def open_versions(
    settings: ServiceSettings,
    workers: Workers,
    build: Callable[[Bundle], M],
    publish: Callable[[Loaded[M]], None] = lambda loaded: None,
) -> Versions[M]:
    """The configured bundle, loaded; StartError where it cannot be."""

    def settle(loaded: Loaded[M]) -> None:
        publish(loaded)
        # Over what a bundle of 10,000 items becomes, a full garbage collection takes 77 ms. It stays for long, so the
        # collector need not look at it again; let go of, it is freed all the same, since it holds no cycles.
        gc.collect()
        gc.freeze()

    versions = Versions(settings.bundle, build, workers, settle)
    try:
        await versions.open()
    except BundleError as error:
        raise StartError(str(error)) from error
    return versions


def serving(process: Process, settings: ServiceSettings, name: str, service: Base, models: Models) -> Serving:
    """The service `recmesh.v1.<name>` and the Models service, behind the policies of a server."""
    handlers = Handlers()
    service.register(handlers)
    models.register(handlers)
    around = Surroundings(process.clock, random.Random(), process.registry)
    bounds = Bounds(access_log_share=settings.access_log_share)
    lag = Lag(process.clock)
    process.in_background("measuring how late it is", lag.watch())
    way_in = door(around, Logger("recmesh.access"), settings.admission, bounds, lag)
    filters = (*way_in.filters, *authorised(settings.allow))
    return Serving(handlers, (f"recmesh.v1.{name}", "recmesh.v1.Models"), filters)
