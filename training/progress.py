"""How a long run tells how far it is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Stage(Protocol):
    """One step of a run."""

    def advance(self, n: int = 1) -> None: ...


class Progress(Protocol):
    """Something that shows the stages of a run."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]: ...

    def tell(self, line: str) -> None:
        """What was decided on the way; between stages."""


class _SilentStage:
    def advance(self, n: int = 1) -> None:
        pass


class SilentProgress:
    """Shows nothing."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        return nullcontext(_SilentStage())

    def tell(self, line: str) -> None:
        pass
