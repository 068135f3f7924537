"""The way of a call into a process: which policies it meets before its handler, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recmesh.mesh.access_log import AccessLog, Log
from recmesh.mesh.backend import Surroundings
from recmesh.mesh.limit import Limit
from recmesh.mesh.metrics import Metrics
from recmesh.mesh.timeout import Timeout
from recmesh.mesh.trace import Trace
from recmesh.rpc import Filter


@dataclass(frozen=True, slots=True)
class Admission:
    """What a process lets in."""

    most_in_flight: int = 1_024
    usual_seconds: float = 5.0  # for a call that comes without a deadline
    longest_seconds: float = 30.0  # for any call
    access_log_share: float = 0.01  # of the calls that succeed


def door(given: Surroundings, log: Log, admission: Admission) -> Sequence[Filter]:
    """The filters of a server, outermost first."""
    clock, rng = given.clock, given.rng
    return (
        Trace(rng),  # outermost: the log names the trace, and calls made on behalf of this one continue it
        Metrics(clock, given.recorder, "rpc_server_call_duration_seconds", "Calls that this process answered."),
        AccessLog(clock, log, rng, admission.access_log_share),  # beside the metrics: refusals are seen as well
        Limit(admission.most_in_flight, rng),  # before anything that costs
        Timeout(clock, admission.longest_seconds, admission.usual_seconds),  # innermost: bounds the handler alone
    )
