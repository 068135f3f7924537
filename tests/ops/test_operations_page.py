"""docs/operations.md names every setting with its default, and every metric and alert there is."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

import pytest

import gateway.settings
import gateway.watch
import services.embedding.settings
import services.feedback.settings
import services.ranking.settings
import services.retrieval.settings
from recmesh.mesh import ejection, hedge, replica, retry, throttle
from recmesh.mesh.backend import Policy
from recmesh.mesh.budget import Budget
from recmesh.mesh.door import Admission, Bounds
from recmesh.mesh.ejection import EjectionPolicy
from recmesh.ops.settings import ProcessSettings
from recmesh.rpc.server import ConnectionLimits
from services.common import versions, workers
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


TABLES: Final[list[tuple[str, Any, tuple[Any, ...]]]] = [
    ("Every process", ProcessSettings, ()),
    ("Every service", ServiceSettings, (ProcessSettings,)),
    ("Retrieval", services.retrieval.settings.Settings, (ServiceSettings,)),
    ("Feedback", services.feedback.settings.Settings, (ServiceSettings,)),
    ("Gateway", gateway.settings.Settings, (ProcessSettings,)),
    ("Upstreams", gateway.settings.UpstreamSettings, ()),
    ("Admission", Admission, ()),
    ("Calls", gateway.settings.CallSettings, ()),
]


@pytest.mark.parametrize(("title", "settings", "above"), TABLES)
def test_every_setting_stands_there_with_its_default(title: str, settings: Any, above: tuple[Any, ...]) -> None:
    inherited = {field.name for each in above for field in dataclasses.fields(each)}
    expected = [[field.name, shown(field)] for field in dataclasses.fields(settings) if field.name not in inherited]
    assert [row[:2] for row in rows(title)] == expected


def tables_of(settings: Any) -> Iterator[Any]:
    """The dataclass itself and those within it."""
    yield settings
    for hint in get_type_hints(settings).values():
        if dataclasses.is_dataclass(hint):
            yield from tables_of(hint)


@pytest.mark.parametrize("service", ["embedding", "ranking", "feedback", "retrieval"])
def test_a_service_has_no_settings_without_a_table(service: str) -> None:
    settings = getattr(services, service).settings.Settings
    own = {each.name for each in dataclasses.fields(settings)} - {
        each.name for each in dataclasses.fields(ServiceSettings)
    }
    assert not own or settings in [shown_there for _, shown_there, _ in TABLES]
    assert set(tables_of(settings)) - {settings} <= {shown_there for _, shown_there, _ in TABLES}


def test_the_gateway_has_no_settings_without_a_table() -> None:
    found = set(tables_of(gateway.settings.Settings)) - {gateway.settings.Calls, gateway.settings.PageAdmission}
    assert found <= {shown_there for _, shown_there, _ in TABLES}
    calls, upstreams = (
        dataclasses.fields(each) for each in (gateway.settings.Calls, gateway.settings.UpstreamSettings)
    )
    assert {each.name for each in calls} == {each.name for each in upstreams}
    assert all(f"`calls.{each.name}`" in section("Calls") for each in calls)


def test_a_gateways_admission_differs_by_its_least_alone() -> None:
    pages, usual = gateway.settings.PageAdmission(), Admission()
    assert pages == gateway.settings.PageAdmission(**dataclasses.asdict(usual) | {"least": 20})
    (least,) = (row for row in rows("Admission") if row[0] == "least")
    assert least[2].endswith(f"{pages.least} at a gateway, which mostly waits for others")


def share(part: float) -> str:
    return f"{100 * part:g} %"


def default(function: Any, parameter: str) -> Any:
    return inspect.signature(function).parameters[parameter].default


FIXED: Final = {
    "retries and hedges of a service, of its calls": share(default(Budget, "earn")),
    "the same where there are few calls, a second": f"{default(Budget, 'floor'):g}",
    "pause before a retry, the longest": f"{retry.BACKOFF_MOST * retry.JITTER[1]:g} s",
    "hedges, of the calls of a service": share(1 / hedge.CALLS_A_HEDGE),
    "refused calls, from which some are dropped unsent": share(throttle.SHARE),
    "dropped unsent, at most": share(throttle.MOST),
    "window of these refusals": f"{default(throttle.Throttle, 'seconds'):g} s",
    "window of `eject_least_success_share`": f"{ejection.WINDOW:g} s",
    "an ejection lasts longer by up to": share(EjectionPolicy().jitter),
    "slow start of an endpoint that is new or back": f"{replica.SLOW_START:g} s",
    "a call to a service without a deadline": f"{Bounds().usual_seconds:g} s",
    "any call to a service": f"{Bounds().longest_seconds:g} s",
    "calls of a connection that is too old": f"{ConnectionLimits().age_grace:g} s",
    "a connection without calls is closed after": f"{ConnectionLimits().max_idle:g} s",
    "watches of one gateway": f"{gateway.watch.MOST_WATCHERS:,}",
    "jobs that wait for the worker thread": f"{workers.MOST_WAITING}",
    "bundle versions a process holds": f"{versions.MOST_LOADED}",
}


def test_every_fixed_number_is_that_of_the_code() -> None:
    lines = [line.strip("| ").split(" | ") for line in section("Fixed numbers").splitlines() if line.startswith("| ")]
    assert {line[0]: line[1] for line in lines[1:]} == FIXED


WHERE: Final[list[tuple[Any, dict[str, str]]]] = [  # the key or fixed number that sets each number of a policy
    (
        Policy,
        {
            "seconds": "call_seconds",
            "attempt_seconds": "attempt_seconds",
            "attempts": "attempts",
            "hedging": "hedging",
            "most_in_flight": "most_in_flight",
            "most_queued": "most_queued",
            "most_endpoints": "most_endpoints",
        },
    ),
    (
        EjectionPolicy,
        {
            "in_a_row": "eject_in_a_row",
            "least_success": "eject_least_success_share",
            "least_results": "eject_least_results",
            "first_seconds": "eject_first_seconds",
            "most_seconds": "eject_most_seconds",
            "jitter": "an ejection lasts longer by up to",
            "most_share": "eject_most_share",
            "panic_share": "panic_share",
        },
    ),
    (
        Bounds,
        {
            "usual_seconds": "a call to a service without a deadline",
            "longest_seconds": "any call to a service",
            "access_log_share": "access_log_share",
            "quota_per_second": "quota_per_second",
            "quota_burst_seconds": "quota_burst_seconds",
        },
    ),
    (
        ConnectionLimits,
        {
            "most": "most_connections",
            "max_age": "connection_age_seconds",
            "age_grace": "calls of a connection that is too old",
            "max_idle": "a connection without calls is closed after",
        },
    ),
]


@pytest.mark.parametrize(("policy", "names"), WHERE)
def test_every_number_of_a_policy_stands_there(policy: Any, names: dict[str, str]) -> None:
    numbers = {each.name for each in dataclasses.fields(policy) if isinstance(each.default, (bool, int, float))}
    assert numbers == set(names)
    shown_there = {row[0] for title, _, _ in TABLES for row in rows(title)} | set(FIXED)
    assert set(names.values()) <= shown_there


def test_the_settings_leave_the_policies_as_they_are() -> None:
    upstreams = gateway.settings.UpstreamSettings(
        embedding=("a:1",), ranking=("b:1",), feedback=("c:1",), retrieval=(("d:1",),)
    )
    assert gateway.settings.Settings(listen="e:1", upstreams=upstreams).policy("ranking") == Policy()
    told = ProcessSettings(listen="e:1")
    assert ConnectionLimits(most=told.most_connections, max_age=told.connection_age_seconds) == ConnectionLimits()


@pytest.mark.parametrize("title", ["Gateway", "Admission", "Calls"])
def test_every_number_says_what_it_protects_against(title: str) -> None:
    numbers = [row for row in rows(title) if re.match(r"[\d.]+$|None$|True$", row[1])]
    assert len(numbers) > 5
    assert [row[0] for row in numbers if not row[3]] == []


def test_every_metric_stands_there_and_no_other() -> None:
    defined = set(re.findall(r'"((?:recmesh|rpc|process)_[a-z_]+)",\s*"[A-Z]', SOURCE))  # a name and its help text
    assert len(defined) > 10
    assert {row[0] for row in rows("Metrics")} == defined


def test_every_message_it_alerts_on_is_written() -> None:
    messages = [row[0] for row in rows("Log")]
    assert messages
    assert [message for message in messages if f'"{message}"' not in SOURCE] == []
