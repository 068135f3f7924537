"""Writes the stored events as JSON lines, the layout that training reads as an event log."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recmesh.ops.process import REFUSED, STOPPED, StartError
from recmesh.ops.settings import SettingsError, load
from services.feedback.events import Event
from services.feedback.settings import Settings
from services.feedback.store import FILE, stored_events


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="feedback export", description=__doc__)
    parser.add_argument("--config", metavar="FILE", help="the service's; it may run meanwhile")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="events.jsonl, for example")
    options = parser.parse_args(arguments)
    try:
        count = export(load(Settings, options.config, os.environ).state / FILE, options.out)
    except (SettingsError, StartError) as error:
        print(f"feedback export: {error}", file=sys.stderr)  # noqa: T201 - for a person, not for the log
        return REFUSED
    print(f"{count:,} events written to {options.out}")  # noqa: T201 - for a person
    return STOPPED


def export(store: Path, out: Path) -> int:
    """How many events; `out` is replaced once all of them are written."""
    if not store.is_file():
        raise StartError(f"{store}: there is no event store; check state in the configuration")
    draft = out.with_name(f".{out.name}.partial")
    try:
        with draft.open("w", encoding="utf-8") as file:
            count = sum(bool(file.write(f"{_line(event)}\n")) for event in stored_events(store))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    except OSError as error:
        raise StartError(f"{out}: {error.strerror}; name a file that can be written with --out") from error
    finally:
        draft.unlink(missing_ok=True)
    return count


def _line(event: Event) -> str:
    fields = {name: value for name, value in event._asdict().items() if value not in (None, "")}
    return json.dumps(fields, ensure_ascii=False)
