"""Metrics as Prometheus reads them."""

from __future__ import annotations

import math

import pytest

from recmesh.ops.registry import MOST_SERIES, Registry


def test_renders_counters_gauges_and_histograms() -> None:
    registry = Registry()
    registry.counter("calls_total", "Calls.", "method", "code").add(2, "Search", "OK")
    registry.gauge("in_flight", "Calls being answered.").ask(lambda: 3)
    durations = registry.histogram("seconds", "Time taken.", "method", bounds=(0.1, 1.0))
    for seconds in (0.1, 0.5, 7.0):
        durations.observe(seconds, "Search")
    assert registry.render() == (
        "# HELP calls_total Calls.\n"
        "# TYPE calls_total counter\n"
        'calls_total{method="Search",code="OK"} 2\n'
        "# HELP in_flight Calls being answered.\n"
        "# TYPE in_flight gauge\n"
        "in_flight 3\n"
        "# HELP seconds Time taken.\n"
        "# TYPE seconds histogram\n"
        'seconds_bucket{method="Search",le="0.1"} 1\n'
        'seconds_bucket{method="Search",le="1"} 2\n'
        'seconds_bucket{method="Search",le="+Inf"} 3\n'
        'seconds_sum{method="Search"} 7.6\n'
        'seconds_count{method="Search"} 3\n'
    )


def test_series_of_a_metric_are_bounded() -> None:
    registry = Registry()
    calls = registry.counter("calls_total", "Calls.", "user")
    for user in range(MOST_SERIES + 500):
        calls.add(1, str(user))
    lines = registry.render().splitlines()
    assert len(lines) == 2 + MOST_SERIES + 1
    assert lines[-1] == 'calls_total{user="other"} 500'


def test_label_values_are_escaped() -> None:
    registry = Registry()
    registry.gauge("state", "A\nhelp.", "text").set(math.nan, 'a "b"\\\n')
    assert registry.render().splitlines()[0] == "# HELP state A\\nhelp."
    assert registry.render().splitlines()[2] == 'state{text="a \\"b\\"\\\\\\n"} NaN'


def test_the_same_name_is_the_same_metric() -> None:
    registry = Registry()
    registry.counter("calls_total", "Calls.").add(1)
    registry.counter("calls_total", "Calls.").add(1)
    assert registry.render().endswith("calls_total 2\n")
    with pytest.raises(ValueError, match="exists as a counter"):
        registry.gauge("calls_total", "Calls.")


@pytest.mark.parametrize("name", ["", "9calls", "calls-total", "a b"])
def test_names_are_those_prometheus_takes(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        Registry().counter(name, "Calls.")


def test_counters_only_grow_and_labels_must_fit() -> None:
    calls = Registry().counter("calls_total", "Calls.", "method")
    with pytest.raises(ValueError, match="cannot shrink"):
        calls.add(-1, "Search")
    with pytest.raises(ValueError, match="has the labels"):
        calls.add(1)
