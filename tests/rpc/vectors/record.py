"""Vectors as scripts tell them, as files hold them, and what an end makes of their steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from recmesh.rpc.frames import DEFAULTS, Limits
from recmesh.rpc.session.memory import PROCESS
from recmesh.testing import greeting, hello_frame
from tests.rpc.vectors.ends import ClientProtocol, End, ServerProtocol
from tests.rpc.vectors.processes import ClientProcess, ServerProcess
from tests.rpc.vectors.reading import from_hex, in_a_row, pieces, split, written

HERE = Path(__file__).parent
ENDS: dict[str, Callable[[Limits, int], End]] = {
    "client": ClientProtocol,
    "server": ServerProtocol,
    "client process": ClientProcess,
    "server process": ServerProcess,
}

Step: TypeAlias = dict[str, Any]


@dataclass
class Vector:
    """What an end goes through."""

    role: str
    limits: Limits = DEFAULTS
    process: int = PROCESS.most
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._end = ENDS[self.role](self.limits, self.process)

    def receive(self, *chunks: bytes, at: float = 0.0) -> None:
        """The peer sends frames, at a time in seconds."""
        self._take({"receive": written(chunks)} | ({"at": at} if at else {}))

    def do(self, name: str, **arguments: Any) -> None:
        """The application at this end wants something."""
        self._take({"do": name, "with": arguments} if arguments else {"do": name})

    def open(self, **hello: Any) -> None:
        """The handshake, with fields of the peer's Hello."""
        if self.role == "server process":  # sends its own when the preface is there
            self.receive(*split(greeting(**hello)))
        elif self.role == "server":
            self.receive(*split(greeting(**hello)))
            self.do("hello")
        else:
            if self.role == "client":
                self.do("hello")
            self.receive(hello_frame(**hello))

    def _take(self, step: Step) -> None:
        self.steps.append(step | outcome(self._end, step))


def end_of(told: dict[str, Any]) -> End:
    """The end that a vector is about, as it begins."""
    limits = dict(told["limits"])
    process = limits.pop("process")
    return ENDS[told["role"]](Limits(**limits), process)


def outcome(end: End, step: Step, cut: bool = False) -> Step:
    """What an end makes of a step; `cut`: when bytes reach it one by one, but for the middle of long runs."""
    if "receive" in step:
        for data in _arrivals(step["receive"], cut):
            end.receive(data, step.get("at", 0.0))
    else:
        end.do(step["do"], step.get("with", {}))
    end.settle()
    events = [each | ({"times": times} if times > 1 else {}) for each, times in in_a_row(end.events)]
    sent = written(split(bytes(end.sent)))
    end.events.clear()
    end.sent.clear()
    return {"events": events, "send": sent} | ({"close": True} if end.closed else {})


def _arrivals(chunks: list[dict[str, Any]], cut: bool) -> Iterator[bytes]:
    if not cut:
        yield b"".join(from_hex(each["hex"]) * each.get("times", 1) for each in chunks)
        return
    for chunk in chunks:
        for piece in list(pieces(chunk["hex"])) * chunk.get("times", 1):
            most = 1 if len(piece) < 1_000 else 997
            yield from (piece[start : start + most] for start in range(0, len(piece), most))


Script: TypeAlias = Callable[[Vector], None]
SCRIPTS: dict[str, dict[str, tuple[str, Limits, int, Script]]] = {}


def vector(role: str, process: int = PROCESS.most, **limits: Any) -> Callable[[Script], Script]:
    """Makes a function a script; its module is the topic, its name the vector's, its docstring what it shows.

    `process`: bytes of messages that all connections of the process may hold together.
    """

    def add(script: Script) -> Script:
        topic = script.__module__.rpartition(".")[2]
        SCRIPTS.setdefault(topic, {})[script.__name__] = role, Limits(**limits), process, script
        return script

    return add


def told(topic: str) -> list[dict[str, Any]]:
    """The vectors of a topic, as its scripts tell them."""
    vectors = []
    for name, (role, limits, process, script) in SCRIPTS[topic].items():
        taken = Vector(role, limits, process)
        script(taken)
        shows = " ".join((script.__doc__ or "").split())
        bounds = asdict(limits) | {"process": process}
        vectors.append({"name": name, "shows": shows, "role": role, "limits": bounds, "steps": taken.steps})
    return vectors


def file_of(topic: str) -> Path:
    return HERE / f"{topic}.json"


def held(topic: str) -> list[dict[str, Any]]:
    """The vectors of a topic, as its file holds them."""
    vectors: list[dict[str, Any]] = json.loads(file_of(topic).read_text(encoding="utf-8"))
    return vectors


def text_of(topic: str) -> str:
    return json.dumps(told(topic), indent=1, ensure_ascii=False) + "\n"
