"""Remote calls: the vocabulary, the wire, and a glue for each way of waiting.

call, status, clock           what a call is and how it fails; no I/O
channel, scope, race          how calls are made, on whose behalf, and beside which copy; no I/O
frames, events, session*, flow, intake, memory
                              bytes to events and back, and how much may be sent and held; no I/O
headers, sniff, address       contexts and outcomes as metadata; other protocols; "host:port"; no I/O
connection*, running, inbox   calls over one connection, whatever loop owns it; a handler that runs, messages it reads
endpoint, server              the connections to one address, at the calling end and at the answering one
line, outlet, idle, seldom    their parts: what a socket's bytes become, when bytes leave, who is idle, what is logged
tls, tls_files, tls_stream    what a certificate must say; its files; TLS without I/O
tx, aio, blocking             all this under Twisted, under asyncio, and on a plain socket
tx_*, aio_*, blocking_line, unix, sockets, steps
                              their parts: a loop's time, addresses, transports, coroutines gone on with
"""

from recmesh.rpc.call import Call, Context, Filter, Handlers, Kind, Method, Service, stack
from recmesh.rpc.channel import Channel, Many, Stream, StreamLeft
from recmesh.rpc.clock import Clock
from recmesh.rpc.scope import shield
from recmesh.rpc.status import Origin, Processed, RpcError, Status

__all__ = [
    "Call",
    "Channel",
    "Clock",
    "Context",
    "Filter",
    "Handlers",
    "Kind",
    "Many",
    "Method",
    "Origin",
    "Processed",
    "RpcError",
    "Service",
    "Status",
    "Stream",
    "StreamLeft",
    "shield",
    "stack",
]
