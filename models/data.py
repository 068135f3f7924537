"""What models are fitted on and asked with: interactions, items, histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32: TypeAlias = NDArray[np.float32]
Float64: TypeAlias = NDArray[np.float64]
Int32: TypeAlias = NDArray[np.int32]

AttributeValue: TypeAlias = str | float | bool | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class ItemInfo:
    """What is known of an item beside who took it."""

    id: str
    title: str = ""
    text: str = ""
    categories: tuple[str, ...] = ()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    created: float = 0.0  # Unix seconds; 0: not known


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who took what, and when: parallel columns ordered by user, then time, then place in the source.

    `users` and `items` index `user_ids` and `item_ids`. Items without any interaction are among `item_ids`.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    users: Int32
    items: Int32
    weights: Float32  # how much a row says of the user's taste; below zero: disliked
    timestamps: Float64  # Unix seconds, or the place in the sequence where the source has no times

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class History:
    """What one user did lately, one entry an item, newest first."""

    item_ids: Sequence[str]
    weights: Float32
    timestamps: Float64

    def __len__(self) -> int:
        return len(self.item_ids)
