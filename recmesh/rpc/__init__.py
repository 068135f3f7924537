"""Remote calls: the vocabulary, the wire, and a glue for each way of waiting.

call, status, clock           what a call is and how it fails; no I/O
channel, scope, race          how calls are made, on whose behalf, and beside which copy; no I/O
frames, events, session*, flow
                              bytes to events and back, and how much may be sent; no I/O
headers, sniff, address       contexts and outcomes as metadata; other protocols; "host:port"; no I/O
connection*                   calls over one connection, whatever loop owns it
endpoint                      calls to one address, over a connection that is made again when lost
tx, aio, blocking             all this under Twisted, under asyncio, and on a plain socket
tx_clock, tx_hedge, tx_transport, outlet, steps
                              their parts: a reactor's time, where bytes go, coroutines gone on with
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
