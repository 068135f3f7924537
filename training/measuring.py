"""The command `python -m training evaluate`, and the arguments by which commands name a protocol."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import Bundle, find_bundle
from recmesh.client import RpcError
from recmesh.client.blocking import Client
from training.console import Console
from training.contenders import HELD_OUT, Mesh, baselines, has_not_seen, of_bundle
from training.errors import DatasetError, SettingsError
from training.evaluate import Contender, Plan, compare, fitted
from training.findings import Evaluation
from training.given import joined
from training.inputs import cleaned, reading_arguments, rejects_here, settings_given, write_json, write_text
from training.page import page
from training.preprocessing import Prepared
from training.protocols import GIVEN, PROTOCOLS, Cut, cut
from training.settings import TrainingSettings
from training.splits import Split


def protocol_arguments(parser: argparse.ArgumentParser, default: str | None) -> None:
    usual = Cut()
    told = f"default: {default}" if default else "learn from what this protocol leaves, to be measured by it"
    parser.add_argument("--protocol", choices=(*PROTOCOLS, GIVEN), default=default, help=told)
    parser.add_argument("--held-out", type=Path, metavar="DATASET", help="what the protocol given asks for")
    parser.add_argument(
        "--fraction", type=float, default=usual.fraction, metavar="F", help="held out by random; default: 0.25"
    )
    parser.add_argument("--per-user", action="store_true", help="random takes that share of each user's events")
    parser.add_argument("--events", type=int, default=usual.events, metavar="N", help="first events cold-users tells")
    parser.add_argument("--as-sets", action="store_true", help="the order of events says nothing: draw it")
    parser.add_argument("--implicit", action="store_true", help="every event counts one, whatever its type and value")


def evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    reading_arguments(parser)
    protocol_arguments(parser, "temporal")
    parser.add_argument("--cutoffs", default="10,20", metavar="K,K", help="lengths of lists; default: 10,20")
    parser.add_argument("--users", type=int, default=0, metavar="N", help="ask for so many, drawn; default: all")
    parser.add_argument(
        "--bundle", type=Path, action="append", default=[], metavar="BUNDLE", help="measure it; may be repeated"
    )
    parser.add_argument("--gateway", metavar="HOST:PORT", help="measure the mesh that runs there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures for programs")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots")
    parser.set_defaults(run=evaluate_command)


def cut_given(given: argparse.Namespace, seed: int) -> Cut:
    try:
        return Cut(given.protocol, given.fraction, given.per_user, given.events, given.as_sets, seed)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def plan_given(given: argparse.Namespace, seed: int) -> Plan:
    try:
        cutoffs = tuple(int(k) for k in given.cutoffs.split(","))
    except ValueError as error:
        raise SettingsError(f"--cutoffs {given.cutoffs}: write whole numbers with commas between, as 10,20") from error
    try:
        return Plan(cut_given(given, seed), cutoffs, given.users)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def prepared_and_cut(
    given: argparse.Namespace, how: Cut, settings: TrainingSettings, console: Console
) -> tuple[Prepared, Split, str]:
    """The cleaned data, the protocol's cut of it, and its name."""
    if (how.protocol == GIVEN) != (given.held_out is not None):
        raise SettingsError("--protocol given and --held-out DATASET go together")
    prepared, name, _ = cleaned(given.dataset, rejects_here(given.dataset, settings), settings, console)
    if given.implicit:
        prepared = implicit(prepared)
    if given.held_out is None:
        return prepared, cut(prepared.interactions, how), name
    held_out, _, _ = cleaned(given.held_out, rejects_here(given.held_out, settings), settings, console)
    prepared, split = joined(prepared, implicit(held_out) if given.implicit else held_out, how)
    return prepared, split, name


def learning_part(
    given: argparse.Namespace, prepared: Prepared, settings: TrainingSettings
) -> tuple[Prepared, dict[str, Any]]:
    """What a protocol leaves to learn from, and what the manifest says of it."""
    whole = implicit(prepared) if given.implicit else prepared
    if given.protocol is None:
        if given.held_out or given.as_sets or given.per_user:
            raise SettingsError("--held-out, --as-sets and --per-user say how a protocol cuts; name it with --protocol")
        return whole, {}
    how = cut_given(given, settings.fit.seed)
    if how.protocol == GIVEN:
        raise SettingsError("under the protocol given the dataset is the learning part; fit it without --protocol")
    return replace(whole, interactions=cut(whole.interactions, how).train), {HELD_OUT: asdict(how)}


def implicit(prepared: Prepared) -> Prepared:
    data = prepared.interactions
    return replace(prepared, interactions=replace(data, weights=np.ones_like(data.weights)))


def evaluate_command(given: argparse.Namespace, console: Console) -> None:
    settings = settings_given(given)
    plan = plan_given(given, settings.fit.seed)
    prepared, split, name = prepared_and_cut(given, plan.cut, settings, console)
    with _mesh(given.gateway) as mesh:
        if given.bundle or mesh:
            contenders = _made_already(given, prepared, plan, split, settings, mesh, console)
        else:
            contenders = fitted(prepared, plan, split, settings.fit, console)
        found = compare(name, prepared, plan, split, contenders, console)
        _say(found, mesh, console)
    if given.json:
        document = found.as_json() | {"seed": settings.fit.seed, "seconds": console.seconds}
        write_json(given.json, document, console)
    if given.html:
        write_text(given.html, page(found), console)


def _made_already(
    given: argparse.Namespace,
    prepared: Prepared,
    plan: Plan,
    split: Split,
    settings: TrainingSettings,
    mesh: Mesh | None,
    console: Console,
) -> Mapping[str, Contender]:
    contenders = dict(baselines(split, prepared.items, settings.fit, console))
    for path in given.bundle:
        bundle = Bundle.open(find_bundle(path))
        if not has_not_seen(bundle, plan.cut):
            console.complain(
                f"{bundle.path} may have learnt from what is held out, which flatters it; "
                f"fit one with --protocol {plan.cut.protocol} and the same parameters to measure it"
            )
        contenders[f"{bundle.name} {bundle.version}"] = of_bundle(bundle)
    if mesh:
        contenders["mesh"] = Contender(mesh.recommend)
    return contenders


@contextmanager
def _mesh(gateway: str | None) -> Iterator[Mesh | None]:
    if gateway is None:
        yield None
        return
    try:
        with Client(gateway) as client:
            yield Mesh(client)
    except RpcError as error:
        raise DatasetError(f"{gateway}: {error}; is a mesh running there?") from error


def _say(found: Evaluation, mesh: Mesh | None, console: Console) -> None:
    console.say()
    console.say(found.title())
    console.say()
    for line in found.lines():
        console.say(line)
    if mesh:
        console.say(f"the mesh answered from {', '.join(sorted(mesh.versions))}")
        if mesh.degraded:
            console.say(f"{mesh.degraded:,} of its answers had to do without something")
    console.summary()
