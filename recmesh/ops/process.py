"""A process of the mesh from start to stop: settings, signals, readiness, drain, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final, Generic, NoReturn, TypeVar, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.posixbase import PosixReactorBase
from twisted.python.failure import Failure

from recmesh import __version__
from recmesh.ops import log
from recmesh.ops.admin import Admin
from recmesh.ops.certificates import certificates
from recmesh.ops.health import Health
from recmesh.ops.registry import Registry
from recmesh.ops.settings import ProcessSettings, SettingsError, load
from recmesh.rpc import tx
from recmesh.rpc.address import join_address, split_address
from recmesh.rpc.call import Filter, Handlers

S = TypeVar("S", bound=ProcessSettings)

STOPPED: Final = 0
FAILED: Final = 1  # an error of ours: the log has the traceback
REFUSED: Final = 2  # settings, bundle, port: a person can mend it, and one line says how

RELEASE_SECONDS: Final = 2.0  # for each part to close; with the drain inside Kubernetes' 30 s


class StartError(Exception):
    """A process that cannot start as it was told; the message names the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What a process answers once it has started."""

    handlers: Handlers
    services: Sequence[str]  # full names, for the health protocol
    filters: Sequence[Filter] = ()


class Process:
    """What the parts of one process share."""

    def __init__(self, program: str, reactor: PosixReactorBase, settings: ProcessSettings) -> None:
        self.name = settings.node_id or program
        self.reactor = reactor
        self.clock = tx.Clock(reactor)
        self.registry = Registry()
        self.health = Health()
        self.certificates = certificates(settings)
        self._drains: list[Callable[[], object]] = []
        self._releases: list[Callable[[], Awaitable[None]]] = []

    def endpoint(self, address: str) -> tx.Endpoint:
        """To another process; closed when this one stops."""
        endpoint = tx.Endpoint(self.reactor, address, node_id=self.name, tls=self.certificates.client)
        self.on_stop(endpoint.close)
        return endpoint

    def on_drain(self, then: Callable[[], object]) -> None:
        """`then` is called when the process begins to stop: what would never end by itself ends its streams."""
        self._drains.append(then)

    def on_stop(self, release: Callable[[], Awaitable[None]]) -> None:
        """`release` is awaited when no call is left; what was added last goes first."""
        self._releases.append(release)

    def in_background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` until the process stops. One that fails is logged, and the process goes on without it."""
        running = Deferred.fromCoroutine(work)

        def ended(failure: Failure) -> None:
            if not failure.check(CancelledError):
                log.Logger("recmesh.process").error("work in the background has failed", failure.value, work=name)

        async def stop() -> None:
            running.cancel()

        running.addErrback(ended)
        self.on_stop(stop)

    async def release(self) -> None:
        """One part that fails or hangs keeps none of the others from closing."""
        while self._releases:
            release = self._releases.pop()
            try:
                await self.clock.within(RELEASE_SECONDS, _awaited(release()))
            except Exception as error:
                log.Logger("recmesh.process").error("a part of the process did not close", error)


Start = Callable[[Process, S], Awaitable[Serving]]


class Life(Generic[S]):
    """Start, serve, drain. `ask_to_stop` ends it early at any point."""

    def __init__(self, process: Process, settings: S, start: Start[S], announce: Callable[[str], None]) -> None:
        self._process = process
        self._settings = settings
        self._start = start
        self._announce = announce
        self._stop: Deferred[None] = Deferred()
        self._log = log.Logger("recmesh.process")

    def ask_to_stop(self) -> None:
        if not self._stop.called:
            self._stop.callback(None)

    async def run(self) -> None:
        admin = self._listen_admin()
        try:
            serving = Deferred.fromCoroutine(self._begin(admin))
            self._stop.addCallback(lambda _: serving.cancel())
            try:
                server = await serving
            except CancelledError:
                return
            await self._stop
            await self._drain(server)
        finally:
            await self._process.release()
            stopped = admin.stopListening()
            if stopped is not None:
                await stopped

    def _listen_admin(self) -> IListeningPort:
        host, number = split_address(self._settings.admin_address)
        admin = Admin(self._process.reactor, self._process.health, self._process.registry)
        try:
            port = self._process.reactor.listenTCP(number, admin, interface=host)
            return cast(IListeningPort, port)
        except CannotListenError as error:
            raise _taken(self._settings.admin_address, "admin", error) from error

    async def _begin(self, admin: IListeningPort) -> tx.Server:
        process, settings = self._process, self._settings
        serving = await self._start(process, settings)
        process.health.register(serving.handlers)
        try:
            server = await tx.listen(
                process.reactor,
                settings.listen,
                serving.handlers,
                filters=serving.filters,
                node_id=process.name,
                connections=tx.ConnectionLimits(
                    most=settings.most_connections, max_age=settings.connection_age_seconds
                ),
                tls=process.certificates.server,
            )
        except CannotListenError as error:
            raise _taken(settings.listen, "listen", error) from error
        self._measure(server)
        process.health.serve(serving.services)
        bound = cast("IPv4Address | IPv6Address", admin.getHost())
        at = join_address(bound.host, bound.port)
        self._log.info("serving", name=process.name, address=server.address, admin=at, build=__version__)
        line = {"name": process.name, "pid": os.getpid(), "address": server.address, "admin": at}
        self._announce(json.dumps(line))
        return server

    def _measure(self, server: tx.Server) -> None:
        registry = self._process.registry
        registry.gauge("recmesh_build_info", "The version that runs.", "version").set(1, __version__)
        registry.gauge("recmesh_server_calls_in_flight", "Calls being answered.").ask(lambda: server.in_flight)
        registry.gauge("recmesh_server_connections", "Connections of callers.").ask(lambda: server.connections)
        registry.counter("process_cpu_seconds_total", "CPU time used.").ask(time.process_time)
        registry.gauge("process_start_time_seconds", "When the process began to serve, Unix time.").set(time.time())

    async def _drain(self, server: tx.Server) -> None:
        self._log.info("draining", in_flight=server.in_flight, grace=self._settings.drain_grace_seconds)
        self._process.health.stop("draining")
        for each in self._process._drains:
            each()
        await server.drain(self._settings.drain_grace_seconds, self._settings.drain_accept_seconds)
        await server.close()
        self._log.info("stopped")


def run(program: str, settings: type[S], start: Start[S], arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the program until SIGTERM or SIGINT, and exits.

    `start` is awaited while the admin port answers already; what it returns is then served.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    tx.use_monotonic_clock(reactor)
    options = _parse(program, arguments)
    try:
        told = load(settings, options.config, os.environ)
    except SettingsError as error:
        _refuse(program, error)
    log.setup(told.log, told.log_level, told.node_id or program)
    log.adopt_twisted()
    try:
        process = Process(program, reactor, told)
    except SettingsError as error:
        _refuse(program, error)
    sys.exit(_until_stopped(program, reactor, Life(process, told, start, _print)))


def _until_stopped(program: str, reactor: Any, life: Life[Any]) -> int:
    codes: list[int] = []

    async def live() -> None:
        try:
            await life.run()
            codes.append(STOPPED)
        except (StartError, SettingsError) as error:
            print(f"{program}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - for a person, not for the log
            codes.append(REFUSED)
        except Exception as error:
            log.Logger("recmesh.process").error("the process ends by an error of its own", error)
            codes.append(FAILED)
        finally:
            reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(live())

    _stop_on_signals(reactor, life.ask_to_stop)
    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    return codes[0] if codes else FAILED


def _stop_on_signals(reactor: Any, ask_to_stop: Callable[[], None]) -> None:
    """The first signal asks; a second one ends the process at once, for whatever reason the first did not."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        reactor.callFromThread(ask_to_stop)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, handle)


def _parse(program: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=program, description="Every key can also be set as RECMESH_<KEY>.")
    parser.add_argument("--config", metavar="FILE", help="a TOML file")
    return parser.parse_args(arguments)


def _refuse(program: str, error: Exception) -> NoReturn:
    print(f"{program}: {error}", file=sys.stderr, flush=True)  # noqa: T201 - for a person, not for the log
    sys.exit(REFUSED)


def _taken(address: str, key: str, error: CannotListenError) -> StartError:
    reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
    if "in use" in reason:
        return StartError(f"{address} is in use: stop the other process or set {key}")
    return StartError(f"{address} cannot be listened on: {reason}; set {key} to another address")


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - whoever starts the process waits for this line
