"""Versions: which model bundle answers, namely the newest that every process reports as loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.upstreams import Process, Upstreams
from recmesh.mesh.criticality import Criticality
from recmesh.mesh.replica import Replica
from recmesh.ops.log import Logger
from recmesh.rpc import Clock, Context, RpcError, Status
from recmesh.v1.health_pb2 import HealthCheckRequest
from recmesh.v1.models_pb2 import ListModelsRequest, ListModelsResponse

ASKING: Final = Context(criticality=Criticality.CRITICAL_PLUS)  # a process that is full is not away
START_POLL_SECONDS: Final = 0.2
REFRESH_STEP_SECONDS: Final = 0.01  # all processes answer in a few milliseconds
STRAGGLERS_SECONDS: Final = 3.0
"""How long a start waits for the last replicas once every service and shard has one that answers."""


@dataclass(slots=True)
class Report:
    """What one process said of itself the last time it was asked with success."""

    versions: Mapping[str, float] = field(default_factory=dict)  # to the time each was made
    answered: bool | None = None  # it did the last time; None: it was not asked yet
    heard: bool = False  # it ever did
    complaint: str = ""
    error: str = ""  # why it did not answer


class Versions:
    """Asks every process again and again.

    One that never answered has no say; one that fell silent keeps its say as long as that leaves a version to choose.
    """

    def __init__(self, upstreams: Upstreams, clock: Clock, log: Logger) -> None:
        self._upstreams = upstreams
        self._shards = len(upstreams.shards)
        self._clock = clock
        self._log = log
        self._processes: tuple[Process, ...] = ()
        self._reports: Mapping[Replica, Report] = {}
        self._look()
        self._refreshing = False
        self.current = ""
        """The version in service; empty: none is loaded everywhere."""

    def reported(self, replica: Replica) -> list[str]:
        """The versions of one process, newest first."""
        return _newest_first(self._report(replica).versions)

    def problem(self, replica: Replica) -> str:
        """What is wrong with a process now; empty: nothing."""
        report = self._report(replica)
        if not report.answered:
            return f"does not answer: {report.error}" if report.error else "was not asked yet"
        return report.complaint

    def choose(self, requested: str) -> str:
        """The version a request is answered from."""
        if not self.current:
            raise RpcError(Status.UNAVAILABLE, self._why_none())
        if not requested or requested == self.current:
            return self.current
        everywhere = self._everywhere()
        if requested not in everywhere:
            loaded = ", ".join(everywhere)
            message = f"bundle_version {requested[:64]!r} is not loaded by every service; these are: {loaded}"
            raise RpcError(Status.FAILED_PRECONDITION, message)
        return requested

    async def begin(self, seconds: float) -> None:
        """Returns when all processes have answered, or a few seconds after each service and shard has one that did, or
        after `seconds`."""
        end = self._clock.seconds() + seconds
        await self.poll()
        while self._clock.seconds() < end and not self._all_answer():
            if self._every_backend_answers():
                end = min(end, self._clock.seconds() + STRAGGLERS_SECONDS)
            await self._clock.sleep(START_POLL_SECONDS)
            await self.poll()

    async def keep_polling(self, seconds: float) -> None:
        """Never returns."""
        while True:
            await self._clock.sleep(seconds)
            await self.poll()

    async def refresh(self) -> None:
        """Asks now, and not only when it is time; whoever comes while that goes on waits for it."""
        if self._refreshing:
            while self._refreshing:
                await self._clock.sleep(REFRESH_STEP_SECONDS)
            return
        self._refreshing = True
        try:
            await self.poll()
        finally:
            self._refreshing = False

    async def poll(self) -> None:
        self._look()
        for outcome in await self._clock.settled(*(self._ask(process) for process in self._processes)):
            if isinstance(outcome, Exception):
                self._log.error("a process could not be asked", outcome)
        everywhere = self._everywhere()
        newest = everywhere[0] if everywhere else ""
        if newest != self.current:
            self._log.info("bundle version chosen", version=newest or None, before=self.current or None)
            self.current = newest

    async def _ask(self, process: Process) -> None:
        report = self._report(process.replica)
        try:
            answer = await process.models.list(ListModelsRequest(), ASKING)
            await self._check_service(process)
        except RpcError as error:
            if process.replica not in self._reports:
                return  # it has left, and its connection with it
            if report.answered is not False:
                self._log.warning("a process does not answer", process=process, reason=str(error))
            report.answered, report.error = False, str(error)
            return
        if report.answered is False:
            self._log.info("a process answers", process=process)
        report.answered = report.heard = True
        complaint = self._complaint(process, answer)
        if complaint and complaint != report.complaint:
            self._log.error("a process is not what the configuration says", complaint=complaint)
        report.complaint = complaint
        report.versions = {} if complaint else {model.version: model.created for model in answer.models}

    async def _check_service(self, process: Process) -> None:
        """Raises where the address leads to another service: to requests that is one that is away."""
        name = f"recmesh.v1.{process.backend.name.title()}"
        try:
            await process.health.check(HealthCheckRequest(service=name), ASKING)
        except RpcError as error:
            if error.status is not Status.NOT_FOUND:
                raise
            name = process.backend.name
            raise RpcError(error.status, f"this is another service, not {name}; correct upstreams.{name}") from error

    def _complaint(self, process: Process, answer: ListModelsResponse) -> str:
        """A process of another shard would make items appear twice and others never."""
        expected = process.backend.shard, self._shards
        if process.backend.name != "retrieval" or (answer.shard, answer.shards or 1) == expected:
            return ""
        return (
            f"{process.replica.where.address} is shard {answer.shard} of {answer.shards or 1}, and the gateway's "
            f"configuration has it as shard {expected[0]} of {expected[1]}"
        )

    def _look(self) -> None:
        """Which processes there are by now; one that left takes its report with it."""
        self._processes = tuple(self._upstreams.processes())
        self._reports = {each.replica: self._report(each.replica) for each in self._processes}

    def _report(self, replica: Replica) -> Report:
        return self._reports.get(replica) or Report()

    def _all_answer(self) -> bool:
        return self._every_backend_answers() and all(report.answered for report in self._reports.values())

    def _every_backend_answers(self) -> bool:
        answering = {id(each.backend) for each in self._processes if self._report(each.replica).answered}
        return len(answering) == len(self._upstreams.backends)

    def _everywhere(self) -> list[str]:
        heard = [report for report in self._reports.values() if report.heard]
        answered = [report for report in heard if report.answered]
        return _newest_first(_common(heard)) or _newest_first(_common(answered))

    def _why_none(self) -> str:
        states = [f"{process.backend.name} {self._state_of(process)}" for process in self._processes]
        states += [f"{each.name} has no known endpoint" for each in self._upstreams.backends if not each.replicas]
        return f"no bundle version is loaded by every service: {'; '.join(states)}"

    def _state_of(self, process: Process) -> str:
        report = self._report(process.replica)
        if report.complaint:
            return report.complaint
        if not report.answered:
            return f"{process.replica.where.address} does not answer ({report.error})"
        return f"{process.replica.where.address} has {', '.join(_newest_first(report.versions)) or 'none'}"


def _common(reports: Sequence[Report]) -> Mapping[str, float]:
    """The versions that all have."""
    if not reports:
        return {}
    first, *others = (report.versions for report in reports)
    return {version: created for version, created in first.items() if all(version in each for each in others)}


def _newest_first(versions: Mapping[str, float]) -> list[str]:
    return sorted(versions, key=lambda version: (versions[version], version), reverse=True)
