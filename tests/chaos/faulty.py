"""A service that errs or dawdles on request: python -m tests.chaos.faulty --config FILE

The service is the one its `node_id` begins with. What it does is said by the file beside FILE that ends in ".fault":
the name of a status, with which every call of the service ends at once; "slow", and each takes ten times as long; or
nothing. Health and Models answer as ever, as those of a process that is wrong and does not know would.
"""

from __future__ import annotations

import argparse
import importlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message

from recmesh.ops.process import Process, Serving, run
from recmesh.rpc import Call, Clock, RpcError, Service, Status

TIMES_SLOWER: Final = 10
STARTS: Final = {
    "embedding": "services.embedding.service",
    "ranking": "services.ranking.service",
    "retrieval": "services.retrieval.start",
}


class Fault:
    """The filter right before the handlers."""

    def __init__(self, name: str, told: Path, clock: Clock) -> None:
        self._prefix = f"/recmesh.v1.{name.title()}/"
        self._told, self._clock = told, clock

    async def __call__(self, call: Call, service: Service) -> Message:
        kind = self._told.read_text() if call.method.path.startswith(self._prefix) and self._told.exists() else ""
        if kind in Status.__members__:
            raise RpcError(Status[kind], "broken on purpose")
        begin = self._clock.seconds()
        reply = await service(call)
        if kind == "slow":
            await self._clock.sleep((TIMES_SLOWER - 1) * (self._clock.seconds() - begin))
        return reply


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    config: Path = parser.parse_args().config
    name = tomllib.loads(config.read_text())["node_id"].partition("-")[0]
    start = importlib.import_module(STARTS[name]).start
    settings = importlib.import_module(f"services.{name}.settings").Settings

    async def faulty(process: Process, told: Any) -> Serving:
        serving: Serving = await start(process, told)
        fault = Fault(name, config.with_suffix(".fault"), process.clock)
        return replace(serving, filters=[*serving.filters, fault])

    run(name, settings, faulty)


if __name__ == "__main__":
    main()
