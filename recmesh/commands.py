"""What the commands of `recmesh` do: each asks the mesh once, and says what came of it."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from recmesh import tables
from recmesh.client import Event, Item, RpcError, core, lines
from recmesh.client.blocking import Client

T = TypeVar("T")
R = TypeVar("R")

Shown: TypeAlias = tuple[Any, Callable[[int | None], str]]
"""For programs a dataclass, and for people a text, given the columns of the terminal or None."""

Command: TypeAlias = Callable[[Client, argparse.Namespace], Shown]


class UsageError(Exception):
    """The command was given something it cannot use."""


def recommend(mesh: Client, given: argparse.Namespace) -> Shown:
    if not given.user and not given.history:
        raise UsageError("recommend: give a user, or with --history what somebody did")
    answer = mesh.recommend(
        given.user,
        history=given.history,
        exclude_seen=not given.include_seen,
        query=given.query,
        diversity=given.diversity,
        **_selection(given),
    )
    who = f"user {given.user}" if given.user else "this history"
    popular = ": these are the popular items" if answer.items and not given.query else ""
    why = "cannot be looked up at the moment" if "feedback" in answer.degraded else "is unknown"
    unknown = "" if answer.personalized else f"{tables.plain(who)} {why}{popular}\n\n"
    return answer, lambda width: unknown + tables.answer(answer, width)


def similar(mesh: Client, given: argparse.Namespace) -> Shown:
    answer = mesh.similar(given.item, **_selection(given))
    title = tables.plain(answer.title or given.item)
    return answer, lambda width: f"items like {title}\n\n{tables.answer(answer, width)}"


def search(mesh: Client, given: argparse.Namespace) -> Shown:
    answer = mesh.search(" ".join(given.text), **_selection(given))
    return answer, lambda width: tables.answer(answer, width)


def _selection(given: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(given, name) for name in ("count", "offset", "filter", "exclude", "explain")}


def feedback(mesh: Client, given: argparse.Namespace) -> Shown:
    events: Iterable[Event]
    if given.file and not given.user:
        events = _from_file(given.file, lines.events)
    elif given.user and given.item and not given.file:
        named = {"value": given.value, "text": given.text, "impression_id": given.impression}
        events = [Event(given.user, given.item, given.type, **named)]
    else:
        raise UsageError("feedback: give a user and an item, or --file")
    result = _together(_in_batches(mesh.record, events, core.EVENTS_A_CALL))
    known = f", {result.duplicates:,} were known" if result.duplicates else ""
    return result, lambda _: f"{_count(result.recorded, 'event')} recorded{known}"


def put(mesh: Client, given: argparse.Namespace) -> Shown:
    items: Iterable[Item]
    if given.file and not given.item:
        items = _from_file(given.file, lines.items)
    elif given.item and not given.file:
        items = [Item(given.item, given.title, given.text, given.category, dict(given.attribute), given.created)]
    else:
        raise UsageError("items put: give an id, or --file")
    result = _together(_in_batches(mesh.put_items, items, core.ITEMS_A_CALL))
    return result, lambda _: f"{_count(result.stored, 'item')} stored{_missed(result)}"


def delete(mesh: Client, given: argparse.Namespace) -> Shown:
    result = mesh.delete_items(given.item)
    absent = len(set(given.item)) - result.deleted
    known = f", {absent:,} not in the catalogue" if absent > 0 else ""
    return result, lambda _: f"{_count(result.deleted, 'item')} deleted{known}{_missed(result)}"


def _missed(result: Any) -> str:
    missed = result.replicas_asked - result.replicas_acknowledged
    return f"; {missed} of {result.replicas_asked} replicas did not answer and will catch up" if missed else ""


def history(mesh: Client, given: argparse.Namespace) -> Shown:
    result = mesh.history(given.user, count=given.count)
    nothing = f"nothing is known of user {tables.plain(given.user)}"
    return result, lambda width: tables.history(result, width) if result.events else nothing


def forget(mesh: Client, given: argparse.Namespace) -> Shown:
    result = mesh.delete_user(given.user)
    return (
        result,
        lambda _: f"user {tables.plain(given.user)} is forgotten: {_count(result.events_deleted, 'event')} erased",
    )


def status(mesh: Client, given: argparse.Namespace) -> Shown:
    result = mesh.status()
    return result, lambda width: tables.status(result, width)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _from_file(path: str, read: Callable[[Iterable[bytes], str], Iterator[T]]) -> Iterator[T]:
    """Every line is checked before the first is used, except where what is read comes only once."""
    if path == "-":
        yield from read(sys.stdin.buffer, "standard input")
        return
    try:
        with Path(path).open("rb") as file:
            if file.seekable():
                collections.deque(read(file, path), maxlen=0)
                file.seek(0)
            yield from read(file, path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def _in_batches(send: Callable[[list[T]], R], values: Iterable[T], size: int) -> Iterator[R]:
    done, rest = 0, iter(values)
    try:
        while batch := list(itertools.islice(rest, size)):
            yield send(batch)
            done += len(batch)
    except RpcError as error:
        raise RpcError(error.status, f"{error.message}{_so_far(done)}", processed=error.processed) from error
    except lines.LineError as error:
        raise UsageError(f"{error}{_so_far(done)}") from error
    if not done:
        raise UsageError("the file is empty")


def _so_far(done: int) -> str:
    return f" (the first {done:,} are stored)" if done else ""


def _together(results: Iterator[R]) -> R:
    """One result in whose fields those of all are added up."""

    def add(left: Any, right: Any) -> Any:
        return type(left)(*map(operator.add, dataclasses.astuple(left), dataclasses.astuple(right)))

    return functools.reduce(add, results)
