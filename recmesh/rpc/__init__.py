"""Remote calls: the vocabulary, the wire, and a glue for each way of waiting.

call, status, clock           what a call is and how it fails; no I/O
channel, scope, race          how calls are made, on whose behalf, and beside which copy; no I/O
frames, session/              bytes to events and back, and how much may be sent and held; no I/O
connection/                   calls over one connection, whatever loop owns it
endpoint, server, address     the connections to one address, at the calling end and at the answering one
tls/                          what a certificate must say; its files; TLS without I/O
tx/, aio/, blocking/          all this under Twisted, under asyncio, and on a plain socket
unix, sockets, steps          what those share: files of Unix sockets, options, coroutines gone on with
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
