"""Endpoints listed in a file, TOML or JSON, that is watched.

[[endpoints]]
address = "10.0.0.7:7100"    # alone it is enough; "10.0.0.7:7100" instead of a table as well
id = "embedding-0"           # a name that stays when the address changes
zone = "a"
weight = 1.0
ready = true
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from recmesh.mesh.known import LookError
from recmesh.mesh.resolver import EndpointAddress
from recmesh.rpc.address import split_address

SECONDS: Final = 2.0  # between two looks at the file's time and size
LARGEST: Final = 2**20  # bytes: some 10,000 endpoints

KEYS: Final[Mapping[str, type]] = {"address": str, "id": str, "zone": str, "weight": float, "ready": bool}


def read(text: str, name: str) -> Sequence[EndpointAddress]:
    """The endpoints in a file of this `name`; LookError says what is wrong where."""
    try:
        table = json.loads(text) if name.endswith(".json") else tomllib.loads(text)
    except ValueError as error:
        raise LookError(f"{name}: {error}") from error
    listed = table.get("endpoints") if isinstance(table, dict) else None
    if not isinstance(listed, list) or set(table) != {"endpoints"}:
        raise LookError(f"{name}: expected a list called endpoints and nothing else")
    found = dict[str, EndpointAddress]()
    for number, each in enumerate(listed, 1):
        try:
            endpoint = _endpoint({"address": each} if isinstance(each, str) else each)
        except ValueError as error:
            raise LookError(f"{name}: endpoint {number}: {error}") from error
        if endpoint.id in found:
            raise LookError(f"{name}: endpoint {number}: the id {endpoint.id!r} is there twice")
        found[endpoint.id] = endpoint
    return list(found.values())


def _endpoint(table: Any) -> EndpointAddress:
    if not isinstance(table, dict):
        raise ValueError(f"expected an address or a table, not {table!r}")
    for key, value in table.items():
        kind = KEYS.get(key)
        if kind is None:
            raise ValueError(f"unknown key {key!r}; the keys are {', '.join(KEYS)}")
        if kind is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        else:
            fits = isinstance(value, kind)
        if not fits:
            raise ValueError(f"{key} = {value!r} is no {kind.__name__}")
    address, weight = table.get("address", ""), float(table.get("weight", 1.0))
    split_address(address)
    if not (math.isfinite(weight) and weight > 0):
        raise ValueError(f"weight = {weight:g} is not above 0")
    return EndpointAddress(
        table.get("id") or address, address, zone=table.get("zone", ""), weight=weight, ready=table.get("ready", True)
    )
