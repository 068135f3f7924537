"""Requests to the Kubernetes API server, as a pod makes them: with its service account's token and CA."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from recmesh.mesh.known import LookError
from recmesh.mesh.kubernetes import GONE, GoneError, Json
from recmesh.ops.settings import SettingsError
from recmesh.rpc import RpcError
from recmesh.rpc.address import join_address
from recmesh.rpc.tx import Clock

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 15.0  # for a list, and for the beginning of a watch
LONGEST: Final = 2**24  # bytes of a list, or of one event: a slice holds up to 1,000 endpoints of some 500 bytes


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where an API server is, and what speaks for the caller there."""

    url: str
    token: Path | None = None  # read for every request: it is replaced while it is still valid
    authority: Path | None = None  # certificates, PEM; None: a server without TLS, for tests


def in_cluster(environ: Mapping[str, str]) -> Cluster:
    """What every pod is given; SettingsError outside of one."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdigit():
        raise SettingsError(
            "upstreams name a kubernetes: source, which needs KUBERNETES_SERVICE_HOST as every pod has it;"
            " outside of a cluster write addresses, dns: or file:"
        )
    return Cluster(f"https://{join_address(host, int(port))}", ACCOUNT / "token", ACCOUNT / "ca.crt")


class ApiServer:
    """GET requests, and watches, of one API server."""

    def __init__(self, reactor: Any, cluster: Cluster) -> None:
        self._clock = Clock(reactor)
        self._reactor = reactor
        self._cluster = cluster
        self._agent: Agent | None = None

    async def get(self, path: str) -> Json:
        answer: Json = await self._within(ANSWER_SECONDS, self._get(path))
        return answer

    async def watch(self, path: str, told: Callable[[Json], None], seconds: float) -> None:
        await self._within(seconds, self._watch(path, told))

    async def _within(self, seconds: float, work: Any) -> Any:
        try:
            return await self._clock.within(seconds, work)
        except RpcError as error:
            raise LookError(f"{self._cluster.url}: {error.message}") from error

    async def _get(self, path: str) -> Json:
        response = await self._ask(path)
        lines: list[Json] = []
        await _read(response, lines.append, whole=True)
        return lines[0]

    async def _watch(self, path: str, told: Callable[[Json], None]) -> None:
        await _read(await self._ask(path), told)

    async def _ask(self, path: str) -> IResponse:
        headers = Headers({"Accept": ["application/json"], "User-Agent": ["recmesh"]})
        try:
            if self._cluster.token is not None:
                token = self._cluster.token.read_text(encoding="ascii").strip()
                headers.addRawHeader("Authorization", f"Bearer {token}")
            url = f"{self._cluster.url}{path}".encode("ascii")
            response: IResponse = await self._opened().request(b"GET", url, headers)
        except Exception as error:  # of files, DNS, TCP, TLS and HTTP there are dozens
            if _cancelled(error):
                raise CancelledError from error
            raise LookError(f"{self._cluster.url}: {_reason(error)}") from error
        if response.code != 200:
            raise await _refused(response)
        return response

    def _opened(self) -> Agent:
        if self._agent is None:
            policy = BrowserLikePolicyForHTTPS()
            if self._cluster.authority is not None:
                text = self._cluster.authority.read_text(encoding="ascii")
                end = "-----END CERTIFICATE-----"
                every = [Certificate.loadPEM((part + end).encode()) for part in text.split(end) if part.strip()]
                policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates(every))
            self._agent = Agent(self._reactor, policy, connectTimeout=CONNECT_SECONDS)
        return self._agent


async def _refused(response: IResponse) -> LookError:
    """With what the server says of it, which names the permission that is missing."""
    said: list[Json] = []
    with contextlib.suppress(LookError):
        await _read(response, said.append, whole=True)
    reason = said[0].get("message") if said and isinstance(said[0], Mapping) else "no reason given"
    return (GoneError if response.code == GONE else LookError)(f"the API server answers {response.code}: {reason}")


def _reasons(error: Exception) -> Sequence[BaseException]:
    """A failure of Twisted's HTTP client holds those that led to it."""
    return [each.value for each in getattr(error, "reasons", None) or ()] or [error]


def _reason(error: Exception) -> str:
    first = _reasons(error)[0]
    return str(first) or type(first).__name__


def _cancelled(error: Exception) -> bool:
    return any(isinstance(each, CancelledError) for each in _reasons(error))


def _read(response: IResponse, told: Callable[[Json], None], *, whole: bool = False) -> Deferred[None]:
    """Calls `told` with every line that is JSON, or with the `whole` body, and ends when the answer does."""
    reading = _Reading(told, whole)
    response.deliverBody(reading)
    return reading.ended


class _Reading(Protocol):
    """Splits an answer into JSON values. What its reader raises ends the connection and is what `ended` fails with."""

    def __init__(self, told: Callable[[Json], None], whole: bool) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self._close())
        self._told = told
        self._whole = whole
        self._rest = bytearray()
        self._error: Exception | None = None  # why the rest is not read

    def dataReceived(self, data: bytes) -> None:
        if self._error is not None:
            return
        self._rest += data
        try:
            if not self._whole and b"\n" in data:
                *lines, rest = bytes(self._rest).split(b"\n")
                self._rest = bytearray(rest)
                for line in filter(None, lines):
                    self._tell(line)
            if len(self._rest) > LONGEST:
                raise LookError(f"the API server's answer is over {LONGEST:,} bytes long")
        except Exception as error:  # also what the reader stumbles over
            self._error = error
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        try:
            if self._error is None and not reason.check(ResponseDone, PotentialDataLoss):
                raise LookError(f"the API server's answer broke off: {reason.getErrorMessage()}")
            if self._error is None and self._whole:
                self._tell(bytes(self._rest))
        except Exception as error:
            self._error = error
        if self.ended.called:  # given up
            return
        if self._error is None:
            self.ended.callback(None)
        else:
            self.ended.errback(self._error)

    def _tell(self, text: bytes) -> None:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise LookError(f"the API server's answer is no JSON: {error}") from error
        self._told(value)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
