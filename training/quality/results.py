"""What the rows gave so far, in one JSON file that is whole after every row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.errors import DatasetError
from training.quality.rows import Row


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of one run."""

    data: str
    protocol: str
    model: str
    metric: str
    k: int  # 0: the metric has no cut-off
    value: float
    split: int  # the seed
    seconds: float  # fitting and asking this model; of a model that needs the others, of all
    peak_mb: float  # of the process that fitted and asked all models of the row


@dataclass(slots=True)
class Results:
    """The figures, and which rows they are of."""

    path: Path
    figures: dict[str, list[Measured]] = field(default_factory=dict)  # by row
    keys: dict[str, str] = field(default_factory=dict)
    tests: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)  # of the last model against each other one

    @classmethod
    def read(cls, path: Path) -> Results:
        if not path.exists():
            return cls(path)
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            found = [Measured(**one) for one in document["results"]]
            results, start = cls(path), 0
            for name, told in document["rows"].items():
                results.figures[name] = found[start : start + told["figures"]]
                results.keys[name], results.tests[name] = told["key"], told["tests"]
                start += told["figures"]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}: not a file this command wrote; name another, or remove it") from error
        return results

    def has(self, row: Row) -> bool:
        return self.keys.get(row.name) == row.key

    def add(self, row: Row, figures: Sequence[Measured], tests: Sequence[Mapping[str, Any]]) -> None:
        self.figures[row.name], self.keys[row.name], self.tests[row.name] = list(figures), row.key, list(tests)
        self._write()

    def _write(self) -> None:
        rows = {
            name: {"key": self.keys[name], "figures": len(figures), "tests": self.tests[name]}
            for name, figures in self.figures.items()
        }
        results = [asdict(one) for figures in self.figures.values() for one in figures]
        unfinished = self.path.with_name(self.path.name + ".part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"results": results, "rows": rows}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.path)
