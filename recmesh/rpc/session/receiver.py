"""The receiving side of a session: messages that come in pieces, what they may hold, and the credit given for them."""

from __future__ import annotations

from typing import TypeAlias

from recmesh.rpc import frames
from recmesh.rpc.frames import END_STREAM, MORE, Limits, ProtocolError, encode
from recmesh.rpc.session.events import Event, MessageReceived, Reply
from recmesh.rpc.session.intake import Allowance, Intake
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.status import Status

PARTIAL_MESSAGES = 8  # unfinished messages held for one peer, in whole ones: twice what a sender interleaves
EMPTY_MESSAGES = 16_384  # waiting in one stream; they take no credit. A read of 256 KiB brings as many
OVERRUNS = 2  # the first ends its call: a race, maybe; the second ends the connection

Fault: TypeAlias = tuple[Status, str]  # why one call fails, while its connection goes on


class Receiver:
    """What of a connection comes in, within its limits."""

    __slots__ = (  # of an idle connection a dictionary of so many names would be an eighth
        "_allowance",
        "_crc",
        "_events",
        "_frame",
        "_intakes",
        "_limits",
        "_most_whole",
        "_overruns",
        "_partial_bytes",
        "_pool",
        "_pooled",
    )

    def __init__(self, limits: Limits, pool: Pool) -> None:
        self._limits = limits
        self._most_whole = min(limits.max_message, limits.call_window)  # bytes of a message that may come in one frame
        self._crc = False
        self._pool = pool
        self._pooled = 0  # bytes that this end counts there, of messages that it receives
        self._frame = 0  # of them, those of a frame that is not complete
        self._events: list[Event] = []
        self._partial_bytes = 0
        self._allowance = Allowance(limits.connection_window)
        self._intakes: dict[int, Intake] = {}  # by id, streams that the peer sends
        self._overruns = 0

    def _reply(self, data: bytes) -> None:
        if data:
            self._events.append(Reply(data))

    def _window(self, call_id: int, credit: int) -> bytes:
        if not credit:
            return b""
        return encode(frames.WINDOW, call_id, payload=credit.to_bytes(4, "big"), crc=self._crc)

    def _done_with(self, size: int) -> None:
        """Payload that takes no room here: handed on, or dropped."""
        allowance = self._allowance
        allowance.due += size
        if allowance.due >= allowance.half:
            self._events.append(Reply(self._window(0, allowance.earn(0))))

    def _hold(self, size: int) -> None:
        self._pooled += size
        self._pool.held += size

    def _hold_frame(self, size: int) -> None:
        """What has come of a frame. A large one is too much where the process holds too much already."""
        self._hold(size - self._frame)
        self._frame = size
        if size > frames.DEFAULT_MAX_FRAME and not self._pool.takes(0):
            reason = f"more than {self._pool.most} bytes of messages wait in this process"
            raise ProtocolError(reason, Status.RESOURCE_EXHAUSTED)

    def _gather(self, call_id: int, intake: Intake, flags: int, payload: bytes) -> Fault | None:
        """Adds a frame's payload to the message of its call; or says why the call cannot go on."""
        size, more = len(payload), flags & MORE
        intake.allowance.left -= size
        fault = self._fault(intake, flags, size)
        if fault is not None:
            self._done_with(size)
            return fault
        intake.data += payload
        self._partial_bytes += size
        self._hold(size)
        intake.started = intake.started or bool(size or more) or (intake.many and not flags & END_STREAM)
        intake.whole = intake.started and not more
        if more or not intake.many:  # else it gives credit when it was dealt with
            intake.early += size
            self._done_with(size)
            credit = intake.allowance.earn(size)
            if not flags & END_STREAM:
                self._reply(self._window(call_id, credit))
        if intake.whole and intake.many:
            self._complete(call_id, intake)
        return None

    def _fault(self, intake: Intake, flags: int, size: int) -> Fault | None:
        more, limit = flags & MORE, self._limits.max_message
        if (size or more) and intake.whole and not intake.many:
            return Status.INTERNAL, "more than one message where there may be one"
        if more and flags & END_STREAM:
            return Status.INTERNAL, "the stream ended inside a message"
        if len(intake.data) + size > limit:
            return Status.RESOURCE_EXHAUSTED, f"the message is over the limit of {limit} bytes"
        if self._partial_bytes + size > PARTIAL_MESSAGES * limit:
            return Status.RESOURCE_EXHAUSTED, f"more than {PARTIAL_MESSAGES * limit} bytes of unfinished messages"
        if intake.empties >= EMPTY_MESSAGES and not (size or more or intake.data or flags & END_STREAM):
            return Status.RESOURCE_EXHAUSTED, f"more than {EMPTY_MESSAGES} empty messages wait"
        if not self._pool.takes(size):
            return Status.RESOURCE_EXHAUSTED, f"more than {self._pool.most} bytes of messages wait in this process"
        if size and (intake.allowance.left < 0 or self._allowance.left < 0):
            return self._overrun()
        return None

    def _complete(self, call_id: int, intake: Intake) -> None:
        """A message of a stream is there. What gave credit early counts again, until it is dealt with."""
        self._partial_bytes -= len(intake.data)
        intake.empties += not intake.data
        self._events.append(MessageReceived(call_id, intake.take()))
        intake.allowance.due -= intake.early
        self._allowance.due -= intake.early
        intake.early = 0

    def _overrun(self) -> Fault:
        self._overruns += 1
        if self._overruns == OVERRUNS:
            raise ProtocolError("more payload than there was credit for, again", Status.RESOURCE_EXHAUSTED)
        return Status.RESOURCE_EXHAUSTED, "more payload than there was credit for"

    def _forget(self, intake: Intake | None) -> None:
        if intake is not None:
            self._partial_bytes -= len(intake.data)
            self._hold(-len(intake.data))
