"""What the ranking service can be told."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.start import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """The ranking service's settings."""
