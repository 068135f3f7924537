"""The histories of users: those a bundle carries, and how a live history goes on top of one."""

from __future__ import annotations

from typing import Final

from models.bundle import BundleData
from models.data import History

HISTORY_LIMIT: Final = 500  # entries that queries look at
SEEN_LIMIT: Final = 10_000  # entries that are kept out of answers


class Histories:
    """The histories of every user a bundle was fitted on."""

    def __init__(self, bundle: BundleData) -> None:
        raise NotImplementedError

    def __contains__(self, user_id: str) -> bool:
        raise NotImplementedError

    def of(self, user_id: str) -> History | None:
        raise NotImplementedError


def merge(bundle_history: History | None, live_history: History | None, limit: int) -> History:
    """One entry an item, newest first, at most `limit`."""
    raise NotImplementedError
