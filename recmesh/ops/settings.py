"""Settings: a frozen dataclass filled from a TOML file and from the environment.

The environment holds over the file, the file over the dataclass's defaults. A key nobody knows is refused, because a
misspelt limit that silently does nothing is found out only when the limit is needed.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_type_hints

from recmesh.ops import values
from recmesh.rpc.address import join_address, split_address
from recmesh.rpc.tls import Tls

T = TypeVar("T")

ADMIN_OFFSET: Final = 50  # where the admin port lies, counted from the listening port

# Below this likeness a variable with our prefix is taken for another program's: for the command line client's, for
# another process's that shares the environment, or for one that Kubernetes makes for every Service.
ALIKE: Final = 0.8


class SettingsError(Exception):
    """Settings that cannot be used; the message names the place and the remedy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What every process can be told."""

    listen: str  # host:port of the wire; port 0 takes a free one
    admin: str = ""  # host:port of health and metrics; empty: 50 above `listen`
    node_id: str = ""  # a stable name, such as the pod's; empty: the program's
    log: str = "auto"  # "json", "human", or "auto": human where stderr is a terminal
    log_level: str = "info"
    access_log_share: float = 0.01  # the share of successful calls that are logged; failures are, within bounds
    drain_accept_seconds: float = 5.0  # calls are still accepted once asked to stop: callers need to hear of it
    drain_grace_seconds: float = 20.0  # for calls under way, after that; in all within Kubernetes' 30
    most_connections: int = 10_000  # of callers; each needs a file descriptor
    connection_age_seconds: float = 600.0  # until a caller is asked to connect anew, and so meets what has changed
    # PEM files, all or none: with them every connection, in or out, is TLS with a certificate at each end.
    tls_certificate: str = ""
    tls_key: str = ""
    tls_authorities: str = ""
    tls_peers: tuple[
        str, ...
    ] = ()  # SPIFFE ids or trust domains of the processes it calls; none: their host names count
    # Who may call what, each a principal and then methods, with a star at the end of either or none:
    # ["spiffe://mesh/gateway", "/recmesh.v1.Ranking/*"]. None: whoever the authorities have signed may call everything.
    allow: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        check_address("listen", self.listen)
        check_address("admin", self.admin_address)
        check_choice("log", self.log, ("auto", "json", "human"))
        check_choice("log_level", self.log_level, ("debug", "info", "warning", "error"))
        check_range("access_log_share", self.access_log_share, 0.0, 1.0)
        check_range("drain_accept_seconds", self.drain_accept_seconds, 0.0, 600.0)
        check_range("drain_grace_seconds", self.drain_grace_seconds, 0.0, 600.0)
        check_range("most_connections", self.most_connections, 1, 1_000_000)
        check_range("connection_age_seconds", self.connection_age_seconds, 1.0, 86_400.0)
        self._check_tls()
        self._check_allow()

    def _check_allow(self) -> None:
        if self.allow and not self.tls_certificate:
            raise ValueError(
                "allow goes by the certificates of callers; give tls_certificate, tls_key, tls_authorities"
            )
        for rule in self.allow:
            if len(rule) < 2 or any("*" in each[:-1] or not each for each in rule):
                raise ValueError(
                    f"allow has {list(rule)}; write a principal and then methods, a star at the end of each or none"
                )

    def _check_tls(self) -> None:
        files = {key: getattr(self, key) for key in ("tls_certificate", "tls_key", "tls_authorities")}
        missing = [key for key, path in files.items() if not path]
        if missing and any(files.values()):
            raise ValueError(f"{missing[0]} is missing; give {', '.join(files)} or none of them")
        if missing and self.tls_peers:
            raise ValueError(f"tls_peers is of no use without {', '.join(files)}")
        try:
            Tls(peers=self.tls_peers)
        except ValueError as error:
            raise ValueError(f"tls_peers: {error}") from None

    @property
    def admin_address(self) -> str:
        if self.admin:
            return self.admin
        host, port = split_address(self.listen)
        return join_address(host, port + ADMIN_OFFSET if port else 0)


def check_address(key: str, address: str) -> None:
    """ValueError unless it is host:port or [v6]:port."""
    try:
        split_address(address)
    except ValueError:
        raise ValueError(f'{key} = "{address}" is no address; write host:port, for example 127.0.0.1:7000') from None


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    if value not in choices:
        raise ValueError(f'{key} = "{value}" is none of {", ".join(choices)}')


def check_range(key: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{key} = {value:g} is outside {least:g} to {most:g}")


def load(cls: type[T], path: str | None, environ: Mapping[str, str], prefix: str = "RECMESH_") -> T:
    """An instance of the dataclass `cls`; SettingsError says which key of which file or variable is wrong.

    A key of a table [a] is called `{prefix}A_KEY` in the environment. There a list is separated by commas, and a list
    of lists by semicolons between the inner lists.
    """
    text, table = _read(path) if path is not None else ("", {})
    found = _Lines(path or "the environment", text)
    merged = _merge(table, _from_environment(cls, environ, prefix))
    return _build(cls, merged, (), found, prefix)


def _read(path: str) -> tuple[str, dict[str, Any]]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; name an existing file with --config") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text at byte {error.start}") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error


class _Lines:
    """Finds where a key stands, for messages."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._lines = text.splitlines()

    def place(self, key: tuple[str, ...]) -> str:
        section: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[([^\[\]]+)\]", line):
                section = tuple(part.strip().strip("\"'") for part in header[1].split("."))
                if section == key:
                    return f"{self._path}:{number}"
            elif (name := re.match(r"\s*[\"']?([\w.-]+)[\"']?\s*=", line)) and (*section, *name[1].split(".")) == key:
                return f"{self._path}:{number}"
        return self._path


def _from_environment(cls: type[Any], environ: Mapping[str, str], prefix: str) -> dict[str, Any]:
    keys = {prefix + "_".join(key).upper(): (key, hint) for key, hint in _keys(cls, ())}
    table: dict[str, Any] = {}
    for name, text in environ.items():
        if name in keys:
            key, hint = keys[name]
            inner = table
            for part in key[:-1]:
                inner = inner.setdefault(part, {})
            try:
                inner[key[-1]] = values.parse(hint, text)
            except ValueError as error:
                raise SettingsError(f"environment: {name} must be {error}, not {text!r}") from error
        elif name.startswith(prefix):
            known = [each.removeprefix(prefix) for each in keys]
            if near := difflib.get_close_matches(name.removeprefix(prefix), known, 1, ALIKE):
                raise SettingsError(f"environment: unknown variable {name}; did you mean {prefix}{near[0]}?")
    return table


def _keys(cls: type[Any], above: tuple[str, ...]) -> Iterable[tuple[tuple[str, ...], Any]]:
    hints = get_type_hints(cls)
    for each in dataclasses.fields(cls):
        hint = hints[each.name]
        if dataclasses.is_dataclass(hint):
            yield from _keys(cast("type[Any]", hint), (*above, each.name))
        elif values.fits_a_variable(hint):
            yield (*above, each.name), hint


def _merge(table: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(table)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _build(cls: type[T], table: Mapping[str, Any], above: tuple[str, ...], lines: _Lines, prefix: str) -> T:
    fields = {each.name: each for each in dataclasses.fields(cast(Any, cls))}
    for key in table:
        if key not in fields:
            raise SettingsError(f"{lines.place((*above, key))}: {_unknown(key, above, fields)}")
    hints, given = get_type_hints(cls), dict[str, Any]()
    for name, each in fields.items():
        path = (*above, name)
        if name in table:
            given[name] = _value(hints[name], table[name], path, lines, prefix)
        elif dataclasses.is_dataclass(hints[name]) and _required(each):
            given[name] = _build(cast("type[Any]", hints[name]), {}, path, lines, prefix)
        elif _required(each):
            variable = prefix + "_".join(path).upper()
            raise SettingsError(f"{lines.place(())}: {'.'.join(path)} is missing; set it there or as {variable}")
    try:
        return cls(**given)
    except ValueError as error:
        wrong = str(error).partition(" ")[0]  # a check's message starts with its key
        raise SettingsError(f"{lines.place((*above, wrong))}: {error}") from error


def _required(each: dataclasses.Field[Any]) -> bool:
    return each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING


def _value(hint: Any, value: Any, key: tuple[str, ...], lines: _Lines, prefix: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise SettingsError(f"{lines.place(key)}: {'.'.join(key)} must be a table, [{'.'.join(key)}]")
        return _build(cast("type[Any]", hint), value, key, lines, prefix)
    try:
        return values.convert(hint, value)
    except ValueError as error:
        raise SettingsError(f"{lines.place(key)}: {'.'.join(key)} must be {error}, not {value!r}") from error


def _unknown(key: str, above: tuple[str, ...], fields: Iterable[str]) -> str:
    where = f" in [{'.'.join(above)}]" if above else ""
    near = difflib.get_close_matches(key, fields, 1, 0.0)
    return f"unknown key {key!r}{where}; did you mean {near[0]!r}? The keys are {', '.join(sorted(fields))}"
