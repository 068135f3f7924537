"""Log: where policies write what a person may want to know."""

from __future__ import annotations

from typing import Any, Protocol


class Log(Protocol):
    """Where lines go, for example a `recmesh.ops.log.Logger`."""

    def info(self, message: str, **fields: Any) -> None: ...

    def warning(self, message: str, **fields: Any) -> None: ...


class Silent:
    """A Log that nobody reads."""

    def info(self, message: str, **fields: Any) -> None: ...

    def warning(self, message: str, **fields: Any) -> None: ...
