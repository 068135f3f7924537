"""The bundle versions a process has loaded, and what it made of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredLock

from models.bundle import Bundle, BundleError, find_bundle
from recmesh.ops.log import Logger
from recmesh.rpc.status import RpcError, Status
from services.common.checks import shown
from services.common.workers import Workers, detached

M = TypeVar("M")

MOST_LOADED: Final = 4  # a roll-out needs two and an experiment one more; each holds its arrays in memory
NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")  # a folder's name, never a path


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """One version, ready to answer."""

    name: str
    version: str
    created: float
    model: M


class Versions(Generic[M]):
    """Opens bundles in worker threads and keeps what `build` makes of them, newest first.

    `publish` is called on the reactor's thread just before a version answers its first request.
    """

    def __init__(
        self,
        path: Path,
        build: Callable[[Bundle], M],
        workers: Workers,
        publish: Callable[[Loaded[M]], None] = lambda loaded: None,
    ) -> None:
        self._path = path
        self._home = path
        self._build = build
        self._workers = workers
        self._publish = publish
        self._loaded: list[Loaded[M]] = []
        self._lock = DeferredLock()
        self._log = Logger("services.versions")

    def __iter__(self) -> Iterator[Loaded[M]]:
        return iter(self._loaded)

    async def open(self) -> None:
        """Loads the configured bundle, or the newest of the configured folder; raises BundleError."""
        loaded, self._home = await self._workers.run(self._open_newest)
        self._add(loaded)

    def get(self, version: str) -> Loaded[M]:
        """The named version; for an empty name the newest."""
        found = self._loaded[0] if not version else self._find(version)
        if found is None:
            names = ", ".join(each.version for each in self._loaded)
            message = f"bundle version {shown(version)} is not loaded; loaded: {names}"
            raise RpcError(Status.FAILED_PRECONDITION, message)
        return found

    async def load(self, version: str) -> Loaded[M]:
        """Loads the version of that name beside the configured one, also when the caller does not wait for it."""
        _check_name(version)
        return await detached(Deferred.fromCoroutine(self._load(version)))

    def unload(self, version: str) -> None:
        """Lets go of a version; requests under way keep it. One that is not loaded is let go of already."""
        _check_name(version)
        rest = [each for each in self._loaded if each.version != version]
        if not rest:
            raise RpcError(Status.FAILED_PRECONDITION, f"{version} is the only version loaded; load another one first")
        if len(rest) < len(self._loaded):
            self._loaded = rest
            self._log.info("bundle unloaded", version=version)

    async def _load(self, version: str) -> Loaded[M]:
        async with self._lock:  # of two calls for the same version the second finds it loaded
            found = self._find(version)
            if found is None:
                self._check_room(version)
                found = await self._workers.run(lambda: self._open(version))
                self._add(found)
            return found

    def _find(self, version: str) -> Loaded[M] | None:
        return next((each for each in self._loaded if each.version == version), None)

    def _add(self, loaded: Loaded[M]) -> None:
        self._publish(loaded)
        self._loaded = sorted([*self._loaded, loaded], key=lambda each: (each.created, each.version), reverse=True)
        self._log.info("bundle loaded", name=loaded.name, version=loaded.version)

    def _check_room(self, version: str) -> None:
        if not (self._home / version).is_dir():
            raise RpcError(Status.NOT_FOUND, f"there is no bundle version {version!r} beside the loaded one")
        if len(self._loaded) >= MOST_LOADED:
            raise RpcError(Status.FAILED_PRECONDITION, f"{MOST_LOADED} versions are loaded already; unload one first")

    def _open_newest(self) -> tuple[Loaded[M], Path]:
        place = find_bundle(self._path)
        return self._opened(place), place.resolve().parent

    def _open(self, version: str) -> Loaded[M]:
        try:
            loaded = self._opened(self._home / version)
        except BundleError as error:
            raise RpcError(Status.FAILED_PRECONDITION, str(error)) from error
        if loaded.version != version:
            message = f"the folder {version!r} holds bundle version {loaded.version!r}; name folders by version"
            raise RpcError(Status.FAILED_PRECONDITION, message)
        return loaded

    def _opened(self, place: Path) -> Loaded[M]:
        bundle = Bundle.open(place)
        try:
            model = self._build(bundle)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{place}: made by another version of this program ({error!r}); fit it again") from error
        return Loaded(bundle.name, bundle.version, bundle.created, model)


def _check_name(version: str) -> None:
    if not NAME.fullmatch(version):
        raise RpcError(Status.INVALID_ARGUMENT, f"version: {shown(version)} is no name of a bundle version")
