"""Rows that cannot be used: each is written down with its place and reason, and too many of them end the run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from training.errors import DatasetError

MAX_REJECTS = 0.01  # of the rows of one file
ROW_CHARACTERS = 2_000  # of a row are written down: enough to find it, little enough for a file of garbage
FIRST_LINES = 5  # line numbers a message names
# A file whose first rows are all unusable is read in the wrong way: the rest would only fill the disk.
HOPELESS = 1_000


class BadRow(ValueError):  # noqa: N818 - it is a verdict on a row, which goes on to the next
    """Why a row cannot be used: one of few phrases, for they are counted."""


class Rejects:
    """Collects the rejected rows of a dataset; the file comes into being with the first of them."""

    def __init__(self, path: Path, max_share: float = MAX_REJECTS) -> None:
        self.path = path
        self.max_share = max_share
        self.rows: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {}
        self._lines: dict[str, list[int]] = {}
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)  # of an earlier run
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return sum(reasons.total() for reasons in self.reasons.values())

    def seen(self, file: str, rows: int = 1) -> None:
        """Counts rows that were found in `file`, good or bad."""
        self.rows[file] += rows

    def add(self, file: str, line: int, reason: str, row: Any, rows: int = 1) -> None:
        """Rejects what begins on `line`; `rows`: how many lines it took with it."""
        shown = row if isinstance(row, str) else json.dumps(row, default=str)
        kept = row if len(shown) <= ROW_CHARACTERS else shown[:ROW_CHARACTERS]
        self._write({"file": file, "line": line, "reason": reason, "row": kept})
        self.reasons.setdefault(file, Counter())[reason] += rows
        lines = self._lines.setdefault(file, [])
        if len(lines) < FIRST_LINES:
            lines.append(line)
        if self.rows[file] == HOPELESS and self.reasons[file].total() >= HOPELESS:
            self._refuse(file)

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("w", encoding="utf-8", newline="\n")
            self._file.write(json.dumps(record, default=str) + "\n")
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be written: {error.strerror}") from error

    def finish(self, file: str) -> None:
        """Raises DatasetError where more rows of `file` were rejected than may be."""
        if self.reasons.get(file, Counter()).total() > self.max_share * self.rows[file]:
            self._refuse(file)

    def _refuse(self, file: str) -> None:
        reasons = self.reasons[file]
        lines = ", ".join(map(str, self._lines[file]))
        more = ", ..." if reasons.total() > len(self._lines[file]) else ""
        raise DatasetError(
            f"{file}: {reasons.total():,} of {self.rows[file]:,} rows cannot be used, more than the "
            f"{self.max_share:.1%} allowed. First on line {lines}{more}; most often: {reasons.most_common(1)[0][0]}. "
            f"All are in {self.path}. Correct them, describe the file in dataset.toml, or allow more by --max-rejects."
        )
