"""What benchmarks/rpc.py compares: an echo of one message in each runtime, its server and its client a process each.

load                  calls in a closed loop, and what they took: the same for every contestant
ours, grpc_aio, grpc_threads, amp, raw
                      the contestants; each has `serve` and `call`
"""

CONTESTANTS = {
    "recmesh": "ours",
    "grpc.aio": "grpc_aio",
    "grpcio-threads": "grpc_threads",
    "amp": "amp",
    "raw-uvloop": "raw",
}
"""The modules of this package, by the name that results carry."""
