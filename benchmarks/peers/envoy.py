"""Envoy in front of replicas, as a careful operator would set it up for idempotent calls within one second.

What differs from Envoy's defaults, all of it towards fewer errors: retries (default none), on another host, with a
budget that lets all callers here retry at once (default three); outlier detection (default none) that looks each second
instead of every ten; least request of two instead of round robin; active health checks each second. Attempts, their
time and the pauses between them are those of recmesh's defaults. An ejection lasts Envoy's 30 s, which spares calls
that find out if it is over.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

START_SECONDS: Final = 30.0
HTTP2: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"
PREVIOUS_HOSTS: Final = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"

ROUTE: Final[dict[str, Any]] = {
    "cluster": "replicas",
    "timeout": "1s",
    "retry_policy": {
        "retry_on": "connect-failure,refused-stream,reset,reset-before-request,unavailable,resource-exhausted",
        "num_retries": 2,
        "per_try_timeout": "0.5s",
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": PREVIOUS_HOSTS}}
        ],
        "host_selection_retry_max_attempts": 5,
    },
    "hedge_policy": {"hedge_on_per_try_timeout": True},
}

CLUSTER: Final[dict[str, Any]] = {
    "name": "replicas",
    "type": "STATIC",
    "connect_timeout": "2s",
    "lb_policy": "LEAST_REQUEST",
    "least_request_lb_config": {"choice_count": 2},
    "circuit_breakers": {
        "thresholds": [
            {
                "max_requests": 1024,
                "max_pending_requests": 256,
                "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 32},
            }
        ]
    },
    "outlier_detection": {
        "consecutive_5xx": 5,
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "interval": "1s",
        "base_ejection_time": "30s",
        "max_ejection_percent": 50,
        "successful_active_health_check_uneject_host": False,  # one that errs answers health checks as ever
    },
    "health_checks": [
        {
            "timeout": "0.5s",
            "interval": "1s",
            "unhealthy_threshold": 2,
            "healthy_threshold": 1,
            "no_traffic_interval": "1s",
            "grpc_health_check": {},
        }
    ],
    "typed_extension_protocol_options": {
        HTTP2: {
            "@type": HTTP2,
            "explicit_http_config": {
                "http2_protocol_options": {"connection_keepalive": {"interval": "20s", "timeout": "5s"}}
            },
        }
    },
}


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/{kind}", **fields}


def _with_urls(value: Any) -> Any:
    """Type names as Envoy wants them, which above are as its documentation has them."""
    if isinstance(value, dict):
        return {
            key: f"type.googleapis.com/{each}" if key == "@type" and "/" not in each else _with_urls(each)
            for key, each in value.items()
        }
    return [_with_urls(each) for each in value] if isinstance(value, list) else value


def _socket(address: str) -> dict[str, Any]:
    host, _, port = address.partition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def config(listen: str, admin: str, replicas: Sequence[str]) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": _socket(each)}} for each in replicas]
    assignment = {"cluster_name": "replicas", "endpoints": [{"lb_endpoints": endpoints}]}
    routes = {
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": ROUTE}]}]
    }
    manager = _typed(
        MANAGER,
        stat_prefix="in",
        codec_type="HTTP2",
        route_config=routes,
        http_filters=[{"name": "envoy.filters.http.router", "typed_config": _typed(ROUTER)}],
    )
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    made = {
        "admin": {"address": _socket(admin)},
        "static_resources": {
            "listeners": [{"address": _socket(listen), "filter_chains": [chain]}],
            "clusters": [CLUSTER | {"load_assignment": assignment}],
        },
    }
    told: dict[str, Any] = _with_urls(made)
    return told


@contextmanager
def envoy(binary: Path, listen: str, admin: str, replicas: Sequence[str], folder: Path) -> Iterator[None]:
    """Runs it until the block ends."""
    if not binary.exists():
        sys.exit(f"{binary} is missing: `make bench-faults` installs it")
    path = folder / "envoy.json"
    path.write_text(json.dumps(config(listen, admin, replicas)))
    command = [str(binary), "-c", str(path), "--disable-hot-restart", "--log-level", "warning"]
    with (folder / "envoy.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _await(listen, process, folder / "envoy.log")
            yield
        finally:
            process.terminate()


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    host, _, port = address.partition(":")
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        if process.poll() is not None:
            break
        try:
            socket.create_connection((host, int(port)), 1.0).close()
            return
        except OSError:
            time.sleep(0.05)  # between two looks
    sys.exit(f"envoy does not start: {log.read_text().strip()[-2000:]}")
