"""What the feedback service can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.common.start import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """The feedback service's settings."""

    state: Path  # the folder that holds events.sqlite
