"""What a command shows: results on standard output, how far it is on standard error."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, TextIO

from tqdm import tqdm

from training.progress import Stage

TOLD_EVERY: Final = 20.0  # seconds: a person who looks at a log soon sees that it goes on
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere


class Console:
    """Two streams and a stopwatch; a Progress that draws bars on a terminal and writes lines elsewhere."""

    def __init__(self, out: TextIO, err: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._err = err
        self._clock = clock
        self._begun = clock()
        self.seconds: dict[str, float] = {}  # by stage, in the order they began

    def say(self, line: str = "") -> None:
        self._out.write(line + "\n")

    def complain(self, line: str) -> None:
        self._err.write(line + "\n")

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        return self._stage(name, total)

    def tell(self, line: str) -> None:
        self.complain(line)

    @contextmanager
    def _stage(self, name: str, total: int) -> Iterator[Stage]:
        begun = self._clock()
        self.seconds.setdefault(name, 0.0)
        shown: _Bar | _Lines = (
            _Bar(name, total, self._err) if self._err.isatty() else _Lines(name, total, self._err, self._clock)
        )
        try:
            yield shown
        finally:
            self.seconds[name] += self._clock() - begun
            shown.finish(self._clock() - begun)

    def summary(self) -> None:
        """Where the time went, and the most memory the process held."""
        whole = self._clock() - self._begun
        for line in table(("stage", "seconds"), [*self._stages_that_took(whole), ("whole run", f"{whole:.1f}")]):
            self.say(line)
        self.say(f"at most {peak_mib():,.0f} MiB of memory")

    def _stages_that_took(self, whole: float) -> Iterator[tuple[str, str]]:
        """Those of at least a hundredth of the whole; the others would only hide them."""
        for name, spent in self.seconds.items():
            if spent >= 0.01 * whole:
                yield name, f"{spent:.1f}"


def peak_mib() -> float:
    """The most memory the process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT / 2**20


class _Bar:
    """A bar with the time left."""

    def __init__(self, name: str, total: int, stream: TextIO) -> None:
        self._bar = tqdm(total=total, desc=name, file=stream, dynamic_ncols=True)

    def advance(self, n: int = 1) -> None:
        self._bar.update(n)

    def finish(self, seconds: float) -> None:
        self._bar.close()


class _Lines:
    """A line for each stage, begun with it and ended with it, for logs. A long one tells how much is left."""

    def __init__(self, name: str, total: int, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._clock = clock
        self._begun = self._told = clock()
        stream.write(f"{name} ...")
        stream.flush()

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = self._clock()
        if now - self._told >= TOLD_EVERY and 0 < self._done < self._total:
            left = (now - self._begun) * (self._total / self._done - 1)
            self._stream.write(f" {self._done / self._total:.0%}, {left:.0f} s left ...")
            self._stream.flush()
            self._told = now

    def finish(self, seconds: float) -> None:
        self._stream.write(f" {seconds:.1f} s\n")
        self._stream.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of columns: the first to the left, the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for first, *others in (header, *rows):
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells)).rstrip()
