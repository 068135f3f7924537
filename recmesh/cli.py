"""The command `recmesh`: a client of the mesh, with tables for people and JSON for programs.

It ends with 0; with 1 where the mesh answers an error or cannot be reached; with 2 for wrong usage and wrong input.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from recmesh import __version__, commands, tables
from recmesh.client import RpcError, Status, core
from recmesh.client.blocking import Client
from recmesh.rpc import Processed
from recmesh.rpc.tls import Tls, TlsError

GATEWAY: Final = "127.0.0.1:7000"
TLS: Final = "RECMESH_TLS_"
FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        with _connected(given) as mesh:
            _print(given.run(mesh, given), given.json)
    except RpcError as error:
        return _failed(f"{error}{_remedy(error)}", FAILED)
    except commands.UsageError as error:
        return _failed(str(error), WRONG_USAGE)
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _connected(given: argparse.Namespace) -> Client:
    try:
        tls = _tls(os.environ)
    except ValueError as error:
        raise commands.UsageError(f"{TLS}CERTIFICATE, _KEY, _AUTHORITIES, _PEERS: {error}") from error
    try:
        return Client(*given.gateway.split(","), timeout=given.timeout, tls=tls)
    except ValueError as error:
        raise commands.UsageError(f"--gateway {given.gateway}: {error}") from error
    except TlsError as error:
        raise commands.UsageError(f"{TLS}CERTIFICATE, _KEY, _AUTHORITIES: {error}") from error


def _tls(environ: Mapping[str, str]) -> Tls | None:
    """From the variables that processes of the mesh have, so that the command works beside one as it is."""
    files = {name: environ.get(f"{TLS}{name.upper()}", "") for name in ("certificate", "key", "authorities")}
    peers = tuple(each.strip() for each in environ.get(f"{TLS}PEERS", "").split(",") if each.strip())
    return Tls(**files, peers=peers) if peers or any(files.values()) else None


def _print(shown: commands.Shown, as_json: bool) -> None:
    result, text = shown
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a title the terminal has no letters for is no reason to fail
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    sys.stdout.write((json.dumps(dataclasses.asdict(result)) if as_json else text(width)) + "\n")
    sys.stdout.flush()


def _remedy(error: RpcError) -> str:
    """What the options of this command can do about it; the rest stands in the message."""
    if error.status is Status.DEADLINE_EXCEEDED:
        return " (--timeout gives it longer)"
    if error.status is Status.UNAVAILABLE and error.processed is Processed.NOT_SENT:
        return " (--gateway or RECMESH_GATEWAY give another address)"
    if error.status is Status.UNIMPLEMENTED:
        return " (--gateway and RECMESH_GATEWAY must give the address of a gateway, no older than this command)"
    return ""


def _failed(message: str, code: int) -> int:
    sys.stderr.write(f"recmesh: {tables.plain(message)}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("recmesh", description="Ask a recommender mesh.")
    parser.add_argument("--version", action="version", version=f"recmesh {__version__}")
    _everywhere(parser, os.environ.get("RECMESH_GATEWAY") or GATEWAY, core.TIMEOUT, as_json=False)
    add = parser.add_subparsers(metavar="COMMAND", required=True)
    _ask(add)
    _tell(add)
    _look(add)
    return parser


def _everywhere(
    parser: argparse.ArgumentParser,
    gateway: str = argparse.SUPPRESS,
    timeout: float | str = argparse.SUPPRESS,
    as_json: bool | str = argparse.SUPPRESS,
) -> None:
    """What may stand before the command or after it; a default after it would undo what stands before."""
    help_text = f"where the mesh is; several addresses with commas (RECMESH_GATEWAY, or {GATEWAY})"
    parser.add_argument("--gateway", metavar="HOST:PORT", default=gateway, help=help_text)
    help_text = f"how long a call may take ({core.TIMEOUT:g})"
    parser.add_argument("--timeout", metavar="SECONDS", type=_seconds, default=timeout, help=help_text)
    parser.add_argument("--json", action="store_true", default=as_json, help="one JSON object instead of a table")


def _command(add: Any, name: str, run: commands.Command, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = add.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    _everywhere(parser)
    return parser


def _ask(add: Any) -> None:
    parser = _command(add, "recommend", commands.recommend, "what a user most probably wants next")
    parser.add_argument("user", metavar="USER", nargs="?", default="")
    help_text = "what was liked, oldest first, instead of what is stored of the user"
    parser.add_argument("--history", metavar="ITEM", nargs="+", default=[], help=help_text)
    parser.add_argument("--query", metavar="TEXT", default="", help="prefer what matches this text")
    help_text = "from 0, the best alone, to 1, as different as can be"
    parser.add_argument("--diversity", metavar="0..1", type=float, default=0.0, help=help_text)
    parser.add_argument("--include-seen", action="store_true", help="also what the user already had")
    _selection(parser)
    parser = _command(add, "similar", commands.similar, "items like a given one")
    parser.add_argument("item", metavar="ITEM")
    _selection(parser)
    parser = _command(add, "search", commands.search, "items that match a text")
    parser.add_argument("text", metavar="TEXT", nargs="+")
    _selection(parser)


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--count", metavar="N", type=int, default=10, help="how many items (10)")
    parser.add_argument("--offset", metavar="N", type=int, default=0, help="leave out the first N")
    parser.add_argument("--filter", default="", help="""for example 'categories has "Comedy" and year >= 1990'""")
    parser.add_argument("--exclude", metavar="ITEM", nargs="+", default=[], help="never these")
    parser.add_argument("--explain", action="store_true", help="say why each item is there")


def _tell(add: Any) -> None:
    parser = _command(add, "feedback", commands.feedback, "record what a user did")
    parser.add_argument("user", metavar="USER", nargs="?")
    parser.add_argument("item", metavar="ITEM", nargs="?")
    parser.add_argument("--type", default="like", help="like, view, rating, purchase, dislike, ... (like)")
    parser.add_argument("--value", metavar="NUMBER", type=float, help="a rating, a quantity, a share watched")
    parser.add_argument("--text", default="", help="a review")
    parser.add_argument("--impression", metavar="ID", default="", help="the answer that showed the item")
    parser.add_argument("--file", metavar="FILE", help="events as JSON lines instead; - for standard input")
    text = "add items to the catalogue, or take them out"
    items = add.add_parser("items", help=text, description=text).add_subparsers(metavar="COMMAND", required=True)
    parser = _command(items, "put", commands.put, "add items, or replace them")
    parser.add_argument("item", metavar="ITEM", nargs="?")
    parser.add_argument("--title", default="")
    parser.add_argument("--text", default="", help="a description")
    parser.add_argument("--category", metavar="NAME", action="append", default=[], help="may be given several times")
    help_text = "for example year=1979; may be given several times"
    parser.add_argument(
        "--attribute", metavar="NAME=VALUE", action="append", default=[], type=_attribute, help=help_text
    )
    parser.add_argument("--created", metavar="SECONDS", type=float, default=0.0, help="since 1970")
    parser.add_argument("--file", metavar="FILE", help="items as JSON lines instead; - for standard input")
    parser = _command(items, "delete", commands.delete, "take items out")
    parser.add_argument("item", metavar="ITEM", nargs="+")


def _look(add: Any) -> None:
    parser = _command(add, "history", commands.history, "what a user did, newest first")
    parser.add_argument("user", metavar="USER")
    parser.add_argument("-n", "--count", metavar="N", type=int, default=50, help="how many events (50)")
    parser = _command(add, "forget", commands.forget, "erase what is known of a user")
    parser.add_argument("user", metavar="USER")
    _command(add, "status", commands.status, "how the mesh is")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be over 0")
    return value


def _attribute(text: str) -> tuple[str, Any]:
    """The value as JSON where it is any, else as text."""
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
