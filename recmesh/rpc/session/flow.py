"""The sending side: how much may leave by the peer's credit, and whose turn it is when not everything may."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping

from recmesh.rpc import frames
from recmesh.rpc.frames import END_STREAM, MAX_WINDOW, MORE, ProtocolError, encode
from recmesh.rpc.session.memory import Pool
from recmesh.rpc.status import Status
from recmesh.wire.v1 import wire_pb2 as wire

MOST_HELD = 64 << 20  # bytes waiting, sixteen of the largest messages: a peer that lets more pile up gives no credit
INTERLEAVED = 4  # messages larger than a slice that are under way at once: their receiver holds what came of each
SLICE = 64 << 10  # bytes of a frame of a message that needs several: what a small call may have to wait for


class Parcel:
    """A message of a call on its way out, or what was not sent yet of it; or the end of a stream."""

    __slots__ = ("data", "flags", "kind", "meta")

    def __init__(self, data: memoryview, kind: int = frames.MESSAGE, meta: bytes = b"", flags: int = 0) -> None:
        self.data = data
        self.kind = kind  # of the last frame; those before are MESSAGEs
        self.meta = meta  # of the last frame
        self.flags = flags  # of the last frame


class Lane:
    """What one call has to send, in order."""

    __slots__ = ("begun", "credit", "first", "parcels")

    def __init__(self, credit: int) -> None:
        self.credit = credit  # bytes that the peer takes for this call; below 0 when HELLO lowered its window
        self.begun = False  # a piece of the first parcel has left
        self.first = True  # no whole parcel has
        self.parcels: deque[Parcel] = deque()


class Flow:
    """Cuts messages into frames; calls take turns, a frame each, as far as the peer's windows let them.

    Only payload counts: a frame without any needs no credit, so that a call is opened, ended or refused at any time.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.held = 0  # bytes that wait; the pool counts them too
        self.window = frames.DEFAULT_CONNECTION_WINDOW  # bytes that the peer takes for all calls; below 0 as above
        self.call_window = frames.DEFAULT_CALL_WINDOW
        self.max_frame = frames.DEFAULT_MAX_FRAME
        self.whole = min(self.max_frame, self.call_window, SLICE)  # bytes of a frame that need no cut
        self.crc = False
        self.emptied: list[int] = []  # calls whose last parcel has left; for whoever waits to send another
        self._lanes: dict[int, Lane] = {}  # of streams, and of calls with a message that waits
        self.lanes: Mapping[int, object] = self._lanes  # to see at a glance that nothing waits, as is usual
        # Those with credit, in the order of their turns; and those whose large message waits until another has left.
        self._turns: OrderedDict[int, Lane] = OrderedDict()
        self._standby: OrderedDict[int, Lane] = OrderedDict()
        # Of `_turns`, those with a message that takes several; and calls whose first message does and waits for credit,
        # which its receiver gives in any case. A later message may wait for a slow reader, and lets another in.
        self._large: set[int] = set()
        self._ending: dict[int, Lane] = {}  # those whose last parcel waits

    @property
    def full(self) -> bool:
        """Whether so much waits that no other message may."""
        return self.held > MOST_HELD or self.pool.held > self.pool.most

    @property
    def ready(self) -> bool:
        """Whether `pull` would give anything."""
        return bool(self._turns) and self.window > 0

    @property
    def ending(self) -> Mapping[int, object]:
        """By id, calls whose end waits behind what the peer has given too little credit for."""
        return self._ending

    def greeted(self, hello: wire.Hello, crc: bool) -> None:
        """The peer's limits instead of the defaults."""
        self.max_frame = min(hello.max_frame or frames.DEFAULT_MAX_FRAME, frames.CEILING_MAX_FRAME)
        call_window = hello.call_window or frames.DEFAULT_CALL_WINDOW
        for call_id, lane in self._lanes.items():
            lane.credit += call_window - self.call_window
            self._leave_turns(call_id, lane)
        for call_id, lane in self._lanes.items():
            self._queue(call_id, lane)
        self.window += (hello.connection_window or frames.DEFAULT_CONNECTION_WINDOW) - frames.DEFAULT_CONNECTION_WINDOW
        self.call_window = call_window
        self.whole = min(self.max_frame, call_window, SLICE)
        self.crc = crc

    def open(self, call_id: int, ahead: int = 0) -> None:
        """For a call that sends a stream, or a message that cannot leave at once; `ahead`: credit it had before."""
        self._lanes[call_id] = Lane(self.call_window + ahead)

    def is_open(self, call_id: int) -> bool:
        return call_id in self._lanes

    def waits(self, call_id: int) -> bool:
        """Whether something of the call has not left yet."""
        lane = self._lanes.get(call_id)
        return lane is not None and bool(lane.parcels)

    def begin(self, call_id: int, header: bytes, payload: bytes) -> bytes:
        """The CALL at once, since ids must increase on the wire, with what may go of the request; the rest waits."""
        self.open(call_id)
        lane = self._lanes[call_id]
        size = max(0, min(len(payload), SLICE, self.max_frame - len(header), lane.credit, self.window))
        if size < len(payload) and len(self._large) >= INTERLEAVED:
            size = 0
        self.window -= size
        lane.credit -= size
        flags = MORE if size < len(payload) else END_STREAM
        call = encode(frames.CALL, call_id, header, memoryview(payload)[:size], flags, crc=self.crc)
        if size == len(payload):
            del self._lanes[call_id]
            return call
        lane.begun = size > 0
        if lane.begun:
            self._large.add(call_id)
        return call + self.put(call_id, Parcel(memoryview(payload)[size:], flags=END_STREAM))

    def put(self, call_id: int, parcel: Parcel) -> bytes:
        """To be sent after what the call has put before; the frame, where it needs neither credit nor a turn."""
        lane = self._lanes[call_id]
        if not parcel.data and not lane.parcels:
            if parcel.flags & END_STREAM:
                del self._lanes[call_id]
            return encode(parcel.kind, call_id, parcel.meta, flags=parcel.flags, crc=self.crc)
        lane.parcels.append(parcel)
        self._hold(len(parcel.data))
        if parcel.flags & END_STREAM:
            self._ending[call_id] = lane
        self._queue(call_id, lane)
        return b""

    def credit(self, call_id: int, credit: int) -> bool:
        """More credit, for the connection (0) or for a call; False, if nothing is known of the call."""
        if not call_id:
            self.window += credit
            if self.window > MAX_WINDOW:
                raise _too_much()
            return True
        lane = self._lanes.get(call_id)
        if lane is None:
            return False
        lane.credit += credit
        if lane.credit > MAX_WINDOW:
            raise _too_much()
        self._queue(call_id, lane)
        return True

    def drop(self, call_id: int) -> None:
        """The call has ended: what waits of it is not sent."""
        lane = self._lanes.pop(call_id, None)
        if lane is not None:
            self._hold(-sum(len(parcel.data) for parcel in lane.parcels))
            self._ending.pop(call_id, None)
            self._leave_turns(call_id)

    def clear(self) -> None:
        """Nothing can be sent any more."""
        for call_id in list(self._lanes):
            self.drop(call_id)

    def pull(self, most: int) -> bytes:
        """Frames that may leave, until they are `most` bytes of payload or a little more."""
        out: list[bytes] = []
        while self._turns and self.window > 0 and most > 0:
            call_id, lane = self._turns.popitem(last=False)
            most -= self._send(call_id, lane, out)
            if not lane.begun or lane.credit <= 0:
                self._leave_turns(call_id, lane)
            self._queue(call_id, lane)
            if not lane.parcels:
                self.emptied.append(call_id)
                if self._ending.pop(call_id, None) is not None:
                    del self._lanes[call_id]
        return b"".join(out)

    def _hold(self, size: int) -> None:
        self.held += size
        self.pool.held += size

    def _queue(self, call_id: int, lane: Lane) -> None:
        """Among those who take turns, if it has something to send and credit for it."""
        if not lane.parcels or lane.credit <= 0 or call_id in self._turns or call_id in self._standby:
            return
        large = lane.begun or len(lane.parcels[0].data) > SLICE
        if large and not lane.begun and len(self._large) >= INTERLEAVED:
            self._standby[call_id] = lane
            return
        if large:
            self._large.add(call_id)
        self._turns[call_id] = lane

    def _leave_turns(self, call_id: int, lane: Lane | None = None) -> None:
        """Until it has credit again; without `lane`, for good."""
        self._turns.pop(call_id, None)
        self._standby.pop(call_id, None)
        if call_id in self._large and not (lane and lane.begun and lane.first):
            self._large.remove(call_id)
            if self._standby:
                self._queue(*self._standby.popitem(last=False))

    def _send(self, call_id: int, lane: Lane, out: list[bytes]) -> int:
        """One frame of payload, and the frames after it that have none."""
        parcel = lane.parcels[0]
        size = min(len(parcel.data), SLICE, self.max_frame, lane.credit, self.window)
        piece, parcel.data = parcel.data[:size], parcel.data[size:]
        self.window -= size
        lane.credit -= size
        self._hold(-size)
        lane.begun = bool(parcel.data) or len(parcel.meta) + size > self.max_frame
        if lane.begun:
            out.append(encode(frames.MESSAGE, call_id, payload=piece, flags=MORE, crc=self.crc))
        else:
            lane.parcels.popleft()
            lane.first = False
            out.append(encode(parcel.kind, call_id, parcel.meta, piece, parcel.flags, crc=self.crc))
        while lane.parcels and not lane.parcels[0].data:
            bare = lane.parcels.popleft()
            out.append(encode(bare.kind, call_id, bare.meta, flags=bare.flags, crc=self.crc))
            lane.begun = False
        return size


def _too_much() -> ProtocolError:
    return ProtocolError(f"credit beyond {MAX_WINDOW} bytes", Status.RESOURCE_EXHAUSTED)
