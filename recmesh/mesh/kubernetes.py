"""The endpoints of a Kubernetes Service, from its EndpointSlices: listed once, then watched.

A watch goes on from the version the list had; bookmarks move that on while nothing happens, and a version the server
has forgotten (410) begins again with a list.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import urlencode

from recmesh.mesh.failure import is_cancel
from recmesh.mesh.known import Known, LookError, reason_of
from recmesh.mesh.resolver import EndpointAddress, Told
from recmesh.mesh.target import Target
from recmesh.rpc import Clock
from recmesh.rpc.address import join_address

WATCH_SECONDS: Final = 120  # of one watch: a connection that died unnoticed is found out by then
PAUSE_FIRST, PAUSE_MOST, PAUSE_SPREAD = 1.0, 30.0, 0.2  # seconds between requests, doubled by every failure
GONE: Final = 410

Json: TypeAlias = Mapping[str, Any]


class Api(Protocol):
    """Requests to the API server. Both raise LookError."""

    async def get(self, path: str) -> Json: ...

    async def watch(self, path: str, told: Callable[[Json], None], seconds: float) -> None:
        """Calls `told` with each event, until the server ends the answer; within `seconds` at the latest."""
        ...


class GoneError(LookError):
    """The server no longer knows the version that a watch was to go on from."""


class Slices:
    """The EndpointSlices of one Service, by name."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._slices: dict[str, Json] = {}

    def replace(self, items: Sequence[Json]) -> None:
        self._slices = {_name(each): each for each in items}

    def apply(self, kind: str, item: Json) -> None:
        if kind == "DELETED":
            self._slices.pop(_name(item), None)
        else:
            self._slices[_name(item)] = item

    def endpoints(self) -> Sequence[EndpointAddress]:
        """Each pod once, though it stands in several slices: of both families, and for a moment in an old and a new."""
        found = dict[str, EndpointAddress]()
        for each in sorted(self._slices.values(), key=lambda item: (str(item.get("addressType")), _name(item))):
            port = self._number(each)
            for endpoint in (each.get("endpoints") or ()) if port else ():
                one = _endpoint(endpoint, port)
                if one is not None and (one.id not in found or (one.ready and not found[one.id].ready)):
                    found[one.id] = one
        return sorted(found.values(), key=lambda one: one.id)

    def _number(self, item: Json) -> int:
        """The pods' port; 0 where the slice has none of that name."""
        if self._port.isdigit():
            return int(self._port)
        ports = item.get("ports") or ()
        return next((int(each.get("port") or 0) for each in ports if each.get("name") == self._port), 0)


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])


def _endpoint(item: Json, port: int) -> EndpointAddress | None:
    addresses = item.get("addresses") or ()
    if not addresses:
        return None
    address = join_address(str(addresses[0]), port)  # the others are alternatives to it
    conditions, target = item.get("conditions") or {}, item.get("targetRef") or {}
    ready = conditions.get("ready")
    return EndpointAddress(
        str(target.get("name") or address),
        address,
        zone=str(item.get("zone") or ""),
        ready=ready is None or bool(ready),  # unknown counts as ready, as the API says
    )


class Kubernetes:
    """Follows the EndpointSlices of one Service. Is a Resolver, and is kept going by `run`."""

    def __init__(self, target: Target, api: Api, known: Known, clock: Clock, rng: random.Random) -> None:
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{target.namespace}/endpointslices"
        self._selector = f"kubernetes.io/service-name={target.name}"
        self._port = target.port
        self._slices = Slices(target.port)
        self._api = api
        self._known = known
        self._clock = clock
        self._rng = rng
        self._version = ""  # a watch goes on from here; empty: nothing was listed yet

    def watch(self, told: Told) -> None:
        self._known.watch(told)

    async def run(self) -> None:
        """Never returns."""
        pause = PAUSE_FIRST
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._follow()
                pause = PAUSE_FIRST
            except GoneError:
                self._version = ""
            except Exception as error:
                if is_cancel(error):
                    raise
                self._version = ""  # what was missed meanwhile is not known
                self._known.fail(reason_of(error))
                pause = min(PAUSE_MOST, 2 * pause)
            await self._clock.sleep(pause * self._rng.uniform(1 - PAUSE_SPREAD, 1 + PAUSE_SPREAD))

    async def _list(self) -> None:
        answer = await self._api.get(f"{self._path}?{urlencode({'labelSelector': self._selector})}")
        self._slices.replace(answer.get("items") or ())
        self._known.learn(self._slices.endpoints())
        self._version = str(answer["metadata"]["resourceVersion"])

    async def _follow(self) -> None:
        self._known.learn(self._slices.endpoints())  # if there are still none, that may be believed by now
        asked = {
            "labelSelector": self._selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        await self._api.watch(f"{self._path}?{urlencode(asked)}", self._event, WATCH_SECONDS + 10)

    def _event(self, event: Json) -> None:
        """What an unexpected event makes this stumble over ends the watch, and begins another list."""
        kind, item = event["type"], event["object"]
        if kind == "ERROR":
            reason = str(item.get("message"))
            raise GoneError(reason) if item.get("code") == GONE else LookError(reason)
        if kind != "BOOKMARK":
            self._slices.apply(kind, item)
            self._known.learn(self._slices.endpoints())
        self._version = str(item["metadata"]["resourceVersion"])
