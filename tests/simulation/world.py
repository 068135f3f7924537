"""World: a simulated mesh of callers and processes, the calls they make, and what befalls them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred

from recmesh.mesh.backend import Backend, backend
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.metrics import Unrecorded
from recmesh.mesh.resolver import EndpointAddress, Static
from recmesh.mesh.subset import subset
from recmesh.rpc import Call, Context, RpcError, tx
from recmesh.v1.retrieval_pb2 import SearchRequest
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH
from tests.simulation.network import Link, Network
from tests.simulation.process import Process, Work
from tests.simulation.reactor import Reactor
from tests.simulation.record import Record

ASKED: Final = SearchRequest(bundle_version="1")
USUAL: Final = Work()


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are, and how much they have to do."""

    endpoints: int
    clients: int
    load: float = 0.4  # of what all of them can do, while nothing is wrong
    work: Work = USUAL

    @property
    def capacity(self) -> float:
        """Calls a second."""
        return self.endpoints * self.work.capacity


class World:
    """Callers with the real policies, links, and processes with the real door; `record` says what came of the calls."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size = size
        self.reactor = Reactor()
        self.rng = random.Random(seed)
        self.record = Record()
        self.network = Network(self.reactor, self.record.sent)
        self.demand = 1.0  # times the usual load
        names = [EndpointAddress(f"process-{number}", f"process-{number}:7200") for number in range(size.endpoints)]
        self.processes = [Process(self.reactor, self.rng, each, size.work) for each in names]
        self.callers = [self._caller(f"caller-{number}", names) for number in range(size.clients)]
        used = {each.id for caller in range(size.clients) for each in subset(names, f"caller-{caller}")}
        self.reachable = len(used) / len(names)  # in a mesh of few callers, a process may be in nobody's subset

    def _caller(self, name: str, names: Sequence[EndpointAddress]) -> Backend:
        processes = {each.where.id: each for each in self.processes}
        connections = Connections(lambda where: Link(self.reactor, self.rng, self.network, processes[where.id]))
        given = Surroundings(tx.Clock(self.reactor), self.rng, Unrecorded(), node=name)
        return backend("retrieval", Static(names), connections, given)

    def at(self, second: float, *happens: Callable[[], object]) -> None:
        for each in happens:
            self.reactor.callLater(second - self.reactor.seconds(), each)

    # Calls.

    def run(self, until: float) -> None:
        """Callers call at random moments until then."""
        self.reactor.callLater(0.0, self._call, until)
        self.reactor.run(until)

    def settle(self, seconds: float = 5.0) -> None:
        """Nobody calls any more, and every call ends."""
        self.reactor.run(self.reactor.seconds() + seconds)
        assert not self.network.open and not self.record.open

    def _call(self, until: float) -> None:
        now = self.reactor.seconds()
        after = self.rng.expovariate(self.size.load * self.demand * self.size.capacity)
        if now + after < until:
            self.reactor.callLater(after, self._call, until)
        Deferred.fromCoroutine(self._ask(self.rng.choice(self.callers), now))

    async def _ask(self, caller: Backend, begin: float) -> None:
        self.record.began(begin)
        try:
            await caller(Call(RETRIEVAL_SEARCH, ASKED, Context()))
        except RpcError as error:
            self.record.failed(begin, error.status, self.reactor.seconds() - begin)
        else:
            self.record.answered(begin, self.reactor.seconds() - begin)
