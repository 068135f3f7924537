"""Rendezvous hashing: for a key every endpoint has a score, and the highest wins.

Each caller comes to the same result without a word, and an endpoint that leaves moves only the keys it had. (Thaler and
Ravishankar, 1998.) Scores depend on stable ids, never on addresses, which change when a pod moves.
"""

from __future__ import annotations

import hashlib
from typing import Final

MASK: Final = 2**64 - 1


def digest(text: str) -> int:
    """64 bits of it, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def score(key: int, endpoint: int) -> int:
    """Of two digests, mixed by the finaliser of splitmix64: one multiplication would leave neighbours together."""
    mixed = (key ^ endpoint) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)
