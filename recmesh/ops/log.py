"""The log: one JSON object a line on stderr for machines, or a line for people at a terminal.

`Logger("services.feedback").info("store opened", path=..., events=...)`: the message is constant, what varies goes
into fields, so that lines can be counted and searched.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any, Final, TextIO

from twisted.logger import STDLibLogObserver, globalLogBeginner

from recmesh.ops.shortage import Shortage

SECRET: Final = re.compile(r"password|passwd|secret|token|authori[sz]ation|cookie|api_?key|private_?key", re.IGNORECASE)
LONGEST: Final = 2_000  # characters of one field: what callers send must not fill the disk
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # would break a line apart or speak to the terminal


class Logger:
    """Writes lines under one name."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, message: str, **fields: Any) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """`error`, where given, is written with its traceback."""
        self._write(logging.ERROR, message, fields, error)

    def _write(self, level: int, message: str, fields: Mapping[str, Any], error: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", message, extra={"fields": fields}, exc_info=error)


def setup(form: str = "auto", level: str = "info", node: str = "", stream: TextIO | None = None) -> None:
    """Sends every record of the process to `stream` (stderr) as "json", "human" or "auto"."""
    stream = stream or sys.stderr
    human = form == "human" or (form == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Human() if human else _Json(node))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.raiseExceptions = False  # a full disk behind stderr must not add a traceback to every line


def adopt_twisted() -> None:
    """Makes Twisted's own records part of the log, failures nobody handled above all. Once a process."""
    logging.getLogger("twisted").setLevel(logging.WARNING)
    globalLogBeginner.beginLoggingTo(
        [STDLibLogObserver("twisted"), Shortage()], redirectStandardIO=False, discardBuffer=True
    )


def safe(name: str, value: Any) -> Any:
    """The value of a field as JSON can hold it, short, and without a secret."""
    if SECRET.search(name):
        return "***"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): safe(str(key), inner) for key, inner in list(value.items())[:100]}
    if isinstance(value, list | tuple | set | frozenset):
        return [safe(name, inner) for inner in list(value)[:100]]
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: safe(name, value) for name, value in getattr(record, "fields", {}).items()}


class _Json(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = {"node": node} if node else {}

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{when}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            **self._node,
            "message": safe("", record.getMessage()),
        }
        line |= {name: value for name, value in _fields(record).items() if name not in line}
        if record.exc_info and record.exc_info[1]:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))[-4 * LONGEST :]
        return json.dumps(line, ensure_ascii=False)


class _Human(logging.Formatter):
    """One line a record; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f"  {name}={value}" for name, value in _fields(record).items())
        when = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = CONTROL.sub("?", f"{when} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}")
        if record.exc_info and record.exc_info[1]:
            line += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return line
