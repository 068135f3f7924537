"""Loads a bundle version into every process a gateway knows, or lets go of one; run it where the gateway runs:

kubectl exec -i deploy/gateway -- python - load VERSION < k8s/load_bundle.py
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from recmesh.rpc import Channel, Context, RpcError
from recmesh.rpc.blocking import Endpoint, run
from recmesh.v1.models_pb2 import LoadModelRequest, UnloadModelRequest
from recmesh.v1.models_rpc import ModelsStub

SECONDS: Final = 120.0  # for one process to read and check a bundle of several gigabytes


def main() -> int:
    parser = argparse.ArgumentParser(prog="load_bundle", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("what", choices=("load", "unload"))
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--config", metavar="FILE", type=Path, default=Path("/etc/recmesh/gateway.toml"))
    given = parser.parse_args()
    upstreams = tomllib.loads(given.config.read_text(encoding="utf-8"))["upstreams"]
    failed = 0
    for service, address in sorted(addresses(upstreams)):
        outcome = change(given.what, given.version, address)
        failed += outcome is not None
        sys.stdout.write(f"{service} {address}: {outcome or given.what + 'ed'}\n")
    return 1 if failed else 0


def addresses(upstreams: dict[str, list[Any]]) -> Iterator[tuple[str, str]]:
    """Each process's service and address; retrieval lists them by shard."""
    for service, listed in upstreams.items():
        for entry in listed:
            yield from ((service, address) for address in ([entry] if isinstance(entry, str) else entry))


def change(what: str, version: str, address: str) -> str | None:
    """What went wrong with one process, in words."""
    endpoint = Endpoint(address)
    models = ModelsStub(Channel(endpoint))
    context = Context(deadline=time.monotonic() + SECONDS)
    try:
        if what == "load":
            run(models.load(LoadModelRequest(version=version), context))
        else:
            run(models.unload(UnloadModelRequest(version=version), context))
    except RpcError as error:
        return str(error)
    finally:
        run(endpoint.close())
    return None


if __name__ == "__main__":
    sys.exit(main())
