"""One end of a contestant: python -m benchmarks.peers NAME serve | call PORT SERVER_PID"""

from __future__ import annotations

import importlib
import sys

from benchmarks.peers import CONTESTANTS


def main() -> None:
    name, role, *numbers = sys.argv[1:]
    contestant = importlib.import_module(f"benchmarks.peers.{CONTESTANTS[name]}")
    getattr(contestant, role)(*map(int, numbers))


if __name__ == "__main__":
    main()
