"""Discovery: resolvers for what an operator wrote, kept going in the background."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from recmesh.discovery.api_server import ApiServer, in_cluster
from recmesh.discovery.file import Watched
from recmesh.discovery.names import Names
from recmesh.mesh import dns, endpoint_file
from recmesh.mesh.known import Known, Look, Polled
from recmesh.mesh.kubernetes import Kubernetes
from recmesh.mesh.log import Log
from recmesh.mesh.metrics import Recorder
from recmesh.mesh.resolver import EndpointAddress, Resolver, Static, Together
from recmesh.mesh.target import Target, parse_target
from recmesh.rpc.tx import Clock


class Discovery:
    """Makes resolvers. Each source is asked once, however many services name it."""

    def __init__(
        self,
        reactor: Any,
        rng: random.Random,
        recorder: Recorder,
        log: Log,
        begin: Callable[[str, Coroutine[Any, Any, None]], None],
        environ: Mapping[str, str],
    ) -> None:
        """`begin` runs a coroutine, of the name given, until the process stops."""
        self._reactor = reactor
        self._clock = Clock(reactor)
        self._rng = rng
        self._recorder = recorder
        self._log = log
        self._begin = begin
        self._environ = environ
        self._sources: dict[str, Resolver] = {}
        self._names: Names | None = None
        self._api: ApiServer | None = None

    def resolver(self, shards: Sequence[Sequence[str]]) -> Resolver:
        """Of one service: for each of its shards the addresses and sources that the settings name."""
        parts = [Together([self._source(each) for each in shard], number) for number, shard in enumerate(shards)]
        return Together(parts)

    def _source(self, text: str) -> Resolver:
        if text not in self._sources:
            self._sources[text] = self._open(text, parse_target(text))
        return self._sources[text]

    def _open(self, text: str, target: Target) -> Resolver:
        if target.kind == "static":
            return Static([EndpointAddress(target.name, target.name)])
        known = Known(text, self._clock, self._recorder, self._log)
        source: Polled | Kubernetes
        if target.kind == "kubernetes":
            if self._api is None:
                self._api = ApiServer(self._reactor, in_cluster(self._environ))
            source = Kubernetes(target, self._api, known, self._clock, self._rng)
        elif target.kind == "file":
            source = Polled(known, Watched(target.name), self._clock, self._rng, endpoint_file.SECONDS)
        else:
            source = Polled(known, self._look(target), self._clock, self._rng, dns.SECONDS, dns.SPREAD)
        self._begin(f"following {text}", source.run())
        return source

    def _look(self, target: Target) -> Look:
        names = self._names = self._names or Names(self._reactor)
        if target.kind == "srv":
            return lambda: names.records(target.name)
        return lambda: names.addresses(target.name, int(target.port))
