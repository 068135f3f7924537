"""Limits on what callers send and are sent, and what they are told when they break one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence, Sized
from typing import Final, TypeVar

from google.protobuf.message import Message

from recmesh.rpc.status import RpcError, Status

M = TypeVar("M", bound=Message)

LONGEST_ID: Final = 256  # bytes of UTF-8; the contract's
FOUR_BYTES: Final = 4  # no character of UTF-8 takes more, so that a short text needs no encoding to be measured
LONGEST_SHOWN: Final = 64  # characters of a caller's text in a message
MOST_TEXT: Final = 65_536  # bytes of a description, a review or a query: a long article, far below a message's limit
MOST_EXCLUDED: Final = 20_000  # ids left out of a search: everything seen, and as much again by request


def invalid(field: str, problem: str) -> RpcError:
    return RpcError(Status.INVALID_ARGUMENT, f"{field}: {problem}")


def shown(text: str) -> str:
    """A caller's text in a message, short whatever it was."""
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")


def check_id(field: str, value: str) -> None:
    if not value:
        raise invalid(field, "an id must not be empty")
    if too_long(value, LONGEST_ID):
        raise invalid(field, f"an id is at most {LONGEST_ID} bytes of UTF-8, this one has {len(value.encode())}")


def check_ids(field: str, values: Collection[str], most: int) -> None:
    check_count(field, values, most)
    lengths = list(map(len, values))
    if lengths and not 0 < min(lengths) <= max(lengths) <= LONGEST_ID // FOUR_BYTES:
        for place, value in enumerate(values):
            check_id(f"{field}[{place}]", value)


def check_different(field: str, values: Collection[str]) -> None:
    if len(set(values)) != len(values):
        twice = next(value for value, times in Counter(values).items() if times > 1)
        raise invalid(field, f"{shown(twice)} is there twice")


def check_count(field: str, values: Sized, most: int) -> None:
    if len(values) > most:
        raise invalid(field, f"at most {most:,} are taken at once, these are {len(values):,}")


def check_text(field: str, value: str, most: int = MOST_TEXT) -> None:
    if too_long(value, most):
        raise invalid(field, f"at most {most:,} bytes of UTF-8, these are {len(value.encode()):,}")


def too_long(value: str, most: int) -> bool:
    return len(value) > most // FOUR_BYTES and len(value.encode()) > most


def up_to(most: int, messages: Iterable[M]) -> Sequence[M]:
    """The first of `messages` that together take at most `most` bytes."""
    taken: list[M] = []
    for message in messages:
        most -= message.ByteSize()
        if most < 0:
            break
        taken.append(message)
    return taken
