"""What recmesh does, in one command: fit a model on real ratings, start a mesh, use it, break it, stop it.

`make demo` runs this. `--bundle` skips the fit, `--seconds` sets how long the last act sends requests.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from examples.local_mesh import CHECKOUT, LocalMesh, StartError, free_base_port, plan, raise_on_signals, running_mesh
from models.bundle import BundleError, find_bundle
from recmesh.client import Event, Item, RecommendedItem, RpcError, aio, blocking

T = TypeVar("T")

DATASET = CHECKOUT / "examples" / "data" / "ml-latest-small"
WORK = CHECKOUT / "var" / "demo"
SHARDS, REPLICAS = 2, 2
IN_FLIGHT = 16
KNOWN_USER = "131"
NEWCOMER_NAMES = ("The Matrix", "Blade Runner", "The Terminator")
ALIEN = "Alien"
LIKES = ("Toy Story", "Finding Nemo", "Monsters, Inc.", "The Incredibles", "Spirited Away")
NEW_FILM = Item(
    id="film-of-mine",
    title="The Lighthouse on Europa",
    text="A science fiction film about the crew of a lonely station under the ice of Jupiter's moon Europa. An android "
    "and two astronauts find an alien intelligence in the ocean below, and must decide whether to warn the Earth.",
    categories=["Sci-Fi", "Thriller"],
    attributes={"year": 2026},
)
SEARCH = "astronauts stranded in space"
NEW_FILM_SEARCH = "lighthouse under the ice of Europa"


@dataclass(slots=True)
class Tally:
    """Every call of the demo: how many, how many failed, how long they took."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def call(self) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        except RpcError as error:
            self.failures.append(str(error))
            raise
        finally:
            self.seconds.append(time.perf_counter() - begin)

    def milliseconds(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the acts play: a client that is measured, and the mesh it talks to."""

    client: blocking.Client
    mesh: LocalMesh
    tally: Tally

    def ask(self, call: Callable[[], T]) -> T:
        with self.tally.call():
            return call()

    def find(self, title: str) -> str:
        """The id of the film with this title."""
        found = self.ask(lambda: self.client.search(title, count=20)).items
        return next((item.id for item in found if item.title == title), found[0].id)


def heading(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}")


def show(items: Iterable[RecommendedItem]) -> None:
    for place, item in enumerate(items, 1):
        reason = item.reasons[0].text if item.reasons else ""
        print(f"  {place:2}  {item.title[:44]:44}  {reason}".rstrip())


def beside(left: Sequence[RecommendedItem], right: Sequence[RecommendedItem]) -> None:
    old = {item.id for item in left}
    print(f"      {'before':44}  after")
    for place, (a, b) in enumerate(zip(left, right, strict=False), 1):
        print(f"  {place:2}  {a.title[:44]:44}  {b.title[:44]}{'' if b.id in old else '  *'}")
    print("      * was not on the list before")


def fit() -> Path:
    heading("Fit a model bundle on 100,836 ratings of 9,742 films")
    models = WORK / "models"
    command = [sys.executable, "-m", "training", "fit", str(DATASET), "--out", str(models)]
    subprocess.run(command, cwd=CHECKOUT, check=True)  # noqa: S603 - our own module, no shell
    return models


def known_user(stage: Stage) -> None:
    heading(f"User {KNOWN_USER}: what they liked")
    past = stage.ask(lambda: stage.client.history(KNOWN_USER, count=200)).events
    liked = sorted(past, key=lambda each: -(each.event.value or 0))[:8]
    for each in liked:
        print(f"      {each.event.value or 0:3.1f}  {each.title}")
    heading("... and what they should see next")
    show(stage.ask(lambda: stage.client.recommend(KNOWN_USER, count=10, explain=True)).items)


def newcomer(stage: Stage) -> None:
    heading(f"Somebody new names three films: {', '.join(NEWCOMER_NAMES)}")
    history = [stage.find(title) for title in NEWCOMER_NAMES]
    show(stage.ask(lambda: stage.client.recommend(history=history, count=10, explain=True)).items)


def like_alien(stage: Stage) -> None:
    heading("Films like Alien")
    alien = stage.find(ALIEN)
    show(stage.ask(lambda: stage.client.similar(alien, count=10, explain=True)).items)


def text_search(stage: Stage) -> None:
    heading(f"A search: {SEARCH!r}")
    show(stage.ask(lambda: stage.client.search(SEARCH, count=5)).items)


def five_likes(stage: Stage) -> None:
    heading(f"User {KNOWN_USER} likes {', '.join(LIKES)}")
    ids = [stage.find(title) for title in LIKES]
    before = stage.ask(lambda: stage.client.recommend(KNOWN_USER, count=10))
    stage.ask(lambda: stage.client.record([Event(KNOWN_USER, each, type="like") for each in ids]))
    after = stage.ask(lambda: stage.client.recommend(KNOWN_USER, count=10))
    beside(before.items, after.items)


def new_film(stage: Stage) -> None:
    heading(f"A film is added: {NEW_FILM.title}")
    stage.ask(lambda: stage.client.put_items([NEW_FILM]))
    print(f"  Found at once by {NEW_FILM_SEARCH!r}:")
    show(stage.ask(lambda: stage.client.search(NEW_FILM_SEARCH, count=3)).items)
    history = [stage.find(title) for title in NEWCOMER_NAMES]
    print("  Recommended at once to the newcomer of before:")
    show(stage.ask(lambda: stage.client.recommend(history=history, count=10, explain=True)).items)


async def under_load(address: str, tally: Tally, seconds: float, strike: Callable[[], None]) -> None:
    """Keeps IN_FLIGHT calls going for `seconds`; after a third of the time `strike` happens."""
    end = time.monotonic() + seconds

    async def caller(number: int) -> None:
        while time.monotonic() < end:
            try:
                with tally.call():
                    await client.recommend(str(1 + (number * 37 + len(tally.seconds)) % 610), count=10)
            except RpcError:
                continue  # counted; the act goes on and the summary tells

    async with aio.Client(address) as client:
        callers = [asyncio.create_task(caller(number)) for number in range(IN_FLIGHT)]
        await asyncio.sleep(seconds / 3)
        strike()
        await asyncio.gather(*callers)


def kill_a_replica(stage: Stage, seconds: float) -> None:
    victim = next(each for each in stage.mesh.processes if each.name == "retrieval-0-0")
    heading(f"SIGKILL to {victim.name} while {IN_FLIGHT} requests are in flight")
    tally = Tally()
    asyncio.run(under_load(stage.mesh.gateway, tally, seconds, lambda: os.kill(victim.process.pid, signal.SIGKILL)))
    rate = len(tally.seconds) / seconds
    print(f"  {len(tally.seconds)} requests in {seconds:g} s ({rate:.0f}/s), {len(tally.failures)} failed")
    for message in tally.failures[:5]:
        print(f"    {message}")
    stage.tally.seconds += tally.seconds
    stage.tally.failures += tally.failures


def summary(stage: Stage) -> bool:
    status = stage.ask(stage.client.status)
    tally = stage.tally
    heading("Summary")
    print(f"  calls {len(tally.seconds)}   failures {len(tally.failures)}")
    print(f"  p50 {tally.milliseconds(0.5):.1f} ms   p99 {tally.milliseconds(0.99):.1f} ms")
    print(f"  bundle version {status.bundle_version}")
    return not tally.failures


def play(bundle: Path, seconds: float) -> bool:
    plans = plan(bundle, WORK / "mesh", SHARDS, REPLICAS, free_base_port(SHARDS, REPLICAS))
    heading(f"Start the mesh: {', '.join(each.name for each in plans)}")
    with running_mesh(plans, WORK / "mesh") as mesh, blocking.Client(mesh.gateway) as client:
        print(f"  all serve; the gateway is at {mesh.gateway}")
        stage = Stage(client, mesh, Tally())
        for act in (known_user, newcomer, like_alien, text_search, five_likes, new_film):
            act(stage)
        kill_a_replica(stage, seconds)
        return summary(stage)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="use this bundle instead of fitting one")
    parser.add_argument("--seconds", type=float, default=9.0, help="how long the last act sends requests")
    options = parser.parse_args()
    raise_on_signals()
    try:
        bundle = find_bundle(options.bundle.resolve()) if options.bundle else None
        shutil.rmtree(WORK / "mesh" if bundle else WORK, ignore_errors=True)
        (WORK / "mesh").mkdir(parents=True)
        return 0 if play(bundle or find_bundle(fit()), options.seconds) else 1
    except KeyboardInterrupt:
        print("\ninterrupted; every process is stopped", file=sys.stderr)
        return 130
    except subprocess.CalledProcessError as error:
        return int(error.returncode) or 1
    except (BundleError, StartError, RpcError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
