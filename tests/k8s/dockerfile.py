"""Reads a Dockerfile into its instructions."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """One instruction, its continued lines joined, and the stage it stands in (0 before and in the first)."""

    name: str
    text: str
    stage: int

    @property
    def option_from(self) -> str | None:
        match = re.search(r"--from=(\S+)", self.text)
        return match[1] if match else None

    @property
    def words(self) -> list[str]:
        return [word for word in self.text.split() if not word.startswith("--")]


def parse(text: str) -> list[Instruction]:
    """Instructions in order; comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    found: list[Instruction] = []
    stage = -1
    for line in joined.splitlines():
        name, _, rest = line.strip().partition(" ")
        stage += name == "FROM"
        found.append(Instruction(name, rest.strip(), max(stage, 0)))
    return found
