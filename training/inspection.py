"""What a bundle says of itself, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from models.bundle import Bundle
from training.console import table


def describe(bundle: Bundle) -> Iterator[str]:
    """Name, version, time, settings, the blend's weights and figures, then each file with its size."""
    manifest = bundle.manifest
    created = datetime.fromtimestamp(bundle.created, UTC)
    yield f"{bundle.name} {bundle.version}, format {manifest['format_version']}, made {created:%Y-%m-%d %H:%M:%S} UTC"
    yield str(bundle.path)
    for part, values in (
        ("config", manifest["config"]),
        ("weights of the blend", bundle.json("blend")),
        ("metrics", manifest["metrics"]),
    ):
        yield ""
        yield f"{part}:"
        yield from _tree(values, "  ")
    yield ""
    rows = [(name, f"{told['bytes']:,}", told["sha256"][:12]) for name, told in sorted(manifest["files"].items())]
    yield from table(("file", "bytes", "sha256"), rows)


def _tree(values: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:"
            yield from _tree(value, indent + "  ")
        else:
            yield f"{indent}{key}: {value}"
