"""What the embedding service can be told."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.start import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """The embedding service's settings."""
