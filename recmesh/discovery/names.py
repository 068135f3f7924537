"""Asks DNS for addresses and SRV records."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool
from twisted.names import client
from twisted.names.dns import SRV
from twisted.names.error import DNSNameError, DNSQueryTimeoutError, DomainError, ResolverError

from recmesh.mesh.dns import Record, of_addresses, of_records
from recmesh.mesh.known import LookError
from recmesh.mesh.resolver import EndpointAddress

TIMEOUTS: Final = (1, 2, 4)  # seconds, one after the other: a lost datagram is asked for again

NOWHERE: Final = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""The name has no address, which is an answer; other errors mean that there was none."""


class Names:
    """Questions about names. A host's addresses come from the system, which knows its search list and its own hosts;
    SRV records from the name servers, which need the whole name."""

    def __init__(
        self,
        reactor: Any,
        lookup: Callable[..., Any] | None = None,
        getaddrinfo: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._reactor = reactor
        self._lookup = lookup  # made when first needed: it keeps looking at /etc/resolv.conf
        self._getaddrinfo = getaddrinfo

    async def addresses(self, host: str, port: int) -> Sequence[EndpointAddress]:
        pool = self._reactor.getThreadPool()
        try:
            found = await deferToThreadPool(
                self._reactor, pool, self._getaddrinfo, host, port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP
            )
        except socket.gaierror as error:
            if error.errno in NOWHERE:
                return []
            raise LookError(f"{host}: {error.strerror}") from error
        except (OSError, UnicodeError) as error:  # a label over 63 characters, for example
            raise LookError(f"{host}: {error}") from error
        return of_addresses((each[4][0] for each in found), port)

    async def records(self, name: str) -> Sequence[EndpointAddress]:
        if self._lookup is None:
            self._lookup = client.Resolver("/etc/resolv.conf", reactor=self._reactor).lookupService
        try:
            answers, _, _ = await self._lookup(name, TIMEOUTS)
        except DNSNameError:
            return []
        except (DNSQueryTimeoutError, TimeoutError) as error:
            raise LookError(f"{name}: no name server answered within {sum(TIMEOUTS)} s") from error
        except (DomainError, ResolverError, OSError) as error:
            raise LookError(f"{name}: {type(error).__name__}: {error}") from error
        return of_records(_record(each.payload) for each in answers if each.type == SRV)


def _record(payload: Any) -> Record:
    return Record(payload.priority, payload.weight, payload.port, payload.target.name.decode("ascii", "replace"))
