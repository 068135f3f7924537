"""docs/operations.md names every setting with its default, and every metric and alert there is."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

import gateway.settings
import services.feedback.settings
import services.retrieval.settings
from recmesh.mesh.door import Admission
from recmesh.ops.settings import ProcessSettings
from services.common.start import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("recmesh", "services", "gateway")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "registry.py"  # whose docstring holds an example
)


def section(title: str) -> str:
    return re.split(r"^##+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def shown(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if dataclasses.is_dataclass(field.default):
        return "a table"
    if isinstance(field.default, float):
        return f"{field.default:g}"
    return str(field.default) if field.default not in ("", ()) else {"": "empty", (): "none"}[field.default]


@pytest.mark.parametrize(
    ("title", "settings", "above"),
    [
        ("Every process", ProcessSettings, ()),
        ("Every service", ServiceSettings, (ProcessSettings,)),
        ("Retrieval", services.retrieval.settings.Settings, (ServiceSettings,)),
        ("Feedback", services.feedback.settings.Settings, (ServiceSettings,)),
        ("Gateway", gateway.settings.Settings, (ProcessSettings,)),
        ("Upstreams", gateway.settings.UpstreamSettings, ()),
        ("Admission", Admission, ()),
        ("Calls", gateway.settings.CallSettings, ()),
    ],
)
def test_every_setting_stands_there_with_its_default(title: str, settings: Any, above: tuple[Any, ...]) -> None:
    inherited = {field.name for each in above for field in dataclasses.fields(each)}
    expected = [[field.name, shown(field)] for field in dataclasses.fields(settings) if field.name not in inherited]
    assert [row[:2] for row in rows(title)] == expected


def test_every_metric_stands_there_and_no_other() -> None:
    defined = set(re.findall(r'"((?:recmesh|rpc|process)_[a-z_]+)",\s*"[A-Z]', SOURCE))  # a name and its help text
    assert len(defined) > 10
    assert {row[0] for row in rows("Metrics")} == defined


def test_every_message_it_alerts_on_is_written() -> None:
    messages = [row[0] for row in rows("Log")]
    assert messages
    assert [message for message in messages if f'"{message}"' not in SOURCE] == []
