"""What the policies around a healthy call cost, in CPU of the end that has them.

    python -m benchmarks.mesh_overhead [--quick] [--json FILE]

Calls pass real connections, joined in memory: over sockets, how many answers come at once depends on what else the
machine does, and costs more than what is measured here. The whole stack of a caller is to stay under 25 us a call
above the bare channel. What one policy costs is how much less the whole takes without it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from twisted.internet.defer import Deferred

from benchmarks.machine import machine
from recmesh.mesh.backend import Backend, backend
from recmesh.mesh.door import door
from recmesh.mesh.endpoints import Connections, Surroundings
from recmesh.mesh.log import Silent
from recmesh.mesh.resolver import Static
from recmesh.ops.registry import Registry
from recmesh.rpc import Call, Context, Filter, Handlers, Service, stack
from recmesh.testing import FakeClock, Wire
from recmesh.v1.retrieval_pb2 import SearchRequest, SearchResponse
from recmesh.v1.retrieval_rpc import RETRIEVAL_SEARCH

FLOOR: Final = 25.0  # us
IN_FLIGHT: Final = 16
REPEATS: Final = 25  # of which the quickest counts: what else a machine does only ever adds
SECONDS: Final = 1.0  # for a call
ASKED: Final = SearchRequest(bundle_version="1")
ANSWER: Final = SearchResponse(item_ids=["alien"], bundle_version="1")
BARE, WHOLE = "bare channel", "whole"


class Channel:
    """Two processes, and a connection to each."""

    state = "ready"

    def __init__(self, clock: FakeClock, filters: Sequence[Filter] = ()) -> None:
        handlers = Handlers()
        handlers.add(RETRIEVAL_SEARCH, _search)
        self.wires = [Wire(handlers, filters=filters, clock=clock) for _ in range(2)]
        self._turn = 0
        self.move()

    def __call__(self, call: Call) -> Awaitable[Message]:
        self._turn ^= 1
        return self.wires[self._turn].client(call)

    def move(self) -> None:
        for each in self.wires:
            each.move()


async def _search(request: SearchRequest, context: Context) -> SearchResponse:
    return ANSWER


Measured = tuple[Service, Channel]


def measure(calls: int) -> list[dict[str, Any]]:
    """Rows of an end, what stands there, and what that costs; `calls` are made of each, REPEATS times."""
    clock = FakeClock()
    given = Surroundings(clock, random.Random(1), Registry())
    channel = Channel(clock)
    made = backend("retrieval", Static.of(["a:1", "b:1"]), Connections(lambda where: channel), given)
    entered = door(given, Silent()).filters
    return [
        *_costs("caller", _before(made, channel), calls),
        *_costs("callee", _behind(entered, clock), calls),
    ]


def _before(made: Backend, channel: Channel) -> Mapping[str, Measured]:
    """The stack of a caller, whole and without each of its policies."""
    assert made.hedge is not None
    filters = (*made.upstream.per_call, made.hedge)
    return {
        BARE: (channel, channel),
        WHOLE: (made, channel),
        **{_name(each): (stack(*_without(filters, each), to=made.endpoints), channel) for each in filters},
        "Endpoints": (stack(*filters, to=channel), channel),  # balancing, ejection, and the filters of an attempt
    }


def _behind(filters: Sequence[Filter], clock: FakeClock) -> Mapping[str, Measured]:
    """The same of a callee."""
    channels = {
        BARE: Channel(clock),
        WHOLE: Channel(clock, filters),
        **{_name(each): Channel(clock, _without(filters, each)) for each in filters},
    }
    return {name: (channel, channel) for name, channel in channels.items()}


def _costs(end: str, contestants: Mapping[str, Measured], calls: int) -> Iterator[dict[str, Any]]:
    # They take turns, so that whatever else the machine does meets all of them.
    rounds = [{name: _cpu(*each, calls) for name, each in contestants.items()} for _ in range(REPEATS)]
    least = {name: min(each[name] for each in rounds) for name in contestants}
    for name, microseconds in least.items():
        cost = microseconds - least[BARE] if name == WHOLE else least[WHOLE] - microseconds
        yield {"end": end, "what": name, "cpu_us": microseconds if name == BARE else cost}


def _cpu(service: Service, channel: Channel, calls: int) -> float:
    """Microseconds a call, of which IN_FLIGHT are made at once."""

    async def ask() -> None:
        await service(Call(RETRIEVAL_SEARCH, ASKED, Context(SECONDS)))

    begin = time.process_time()
    for _ in range(calls // IN_FLIGHT):
        asked = [Deferred.fromCoroutine(ask()) for _ in range(IN_FLIGHT)]
        channel.move()
        assert all(each.called for each in asked)
    return (time.process_time() - begin) / calls * 1e6


def _without(filters: Sequence[Filter], one: Filter) -> Sequence[Filter]:
    return [each for each in filters if each is not one]


def _name(each: Filter) -> str:
    return type(each).__name__


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mesh_overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the calls")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    about = machine(["twisted", "protobuf", "txaio"])
    results = measure(160 if given.quick else 800)
    for each in results:
        print(f"{each['end']:8} {each['what']:14} {each['cpu_us']:6.1f} us a call")
    added = next(each["cpu_us"] for each in results if each["what"] == WHOLE)
    print(f"the whole of a caller is {'under' if added < FLOOR else 'OVER'} {FLOOR:g} us")
    if given.json:
        given.json.write_text(json.dumps({"results": results, "added_us": added, "machine": about}, indent=1) + "\n")
    return 0 if added < FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
