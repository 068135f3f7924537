"""A small dataset whose right answers are known: users keep to one of a few kinds of items and take them in order."""

from __future__ import annotations

import random
from pathlib import Path

KINDS = ("harbour", "mountain", "library", "orchard")
ITEMS_OF_A_KIND = 15
WORDS = {
    "harbour": "ship captain storm sailor",
    "mountain": "summit glacier rope climber",
    "library": "archive scholar manuscript riddle",
    "orchard": "apple harvest cider farmer",
}


def write_planted(directory: Path, users: int = 60, seed: int = 7) -> Path:
    """A dataset directory in CSV; user `u3` is of kind 3 and so on round the kinds.

    A user starts somewhere in the kind's items and takes ten in a row, so that what comes next is plain from the
    order, and what fits is plain from the kind. One event in ten is of any kind.
    """
    chance = random.Random(seed)
    directory.mkdir(parents=True, exist_ok=True)
    rows = ["user,item,event,timestamp"]
    for user in range(users):
        kind = user % len(KINDS)
        start = chance.randrange(ITEMS_OF_A_KIND)
        for step in range(10):
            taken = (start + step) % ITEMS_OF_A_KIND
            of = chance.randrange(len(KINDS)) if chance.random() < 0.1 else kind
            rows.append(f"u{user},{KINDS[of]}-{taken},like,{1_700_000_000 + user * 1_000 + step}")
    (directory / "interactions.csv").write_text("\n".join(rows) + "\n")
    (directory / "items.csv").write_text("\n".join(["item,title,text,categories", *_items(chance)]) + "\n")
    return directory


def _items(chance: random.Random) -> list[str]:
    rows = []
    for kind in KINDS:
        words = WORDS[kind].split()
        for number in range(ITEMS_OF_A_KIND):
            text = " ".join(chance.choices(words, k=12))
            rows.append(f"{kind}-{number},The {kind} {number},A story of {text},{kind}")
    return rows
