"""Settings from a file and the environment, and what is said when they are wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recmesh.ops.settings import ProcessSettings, SettingsError, check_address, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    ranking: tuple[str, ...]
    retrieval: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    total: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(ProcessSettings):
    bundle: Path
    shards: int = 1
    fast: bool = False
    note: str | None = None
    upstreams: Upstreams = Upstreams(ranking=())
    timeouts: Timeouts = Timeouts()
    weights: Mapping[str, float] = field(default_factory=dict)


LEAST = 'listen = "127.0.0.1:7200"\nbundle = "models"\n'


def read(folder: Path, text: str, **environ: str) -> Example:
    path = folder / "example.toml"
    path.write_text(text, encoding="utf-8")
    return load(Example, str(path), environ)


def refusal(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(folder, text, **environ)
    return str(caught.value).replace(str(folder), "")


def test_file_fills_every_kind_of_field(tmp_path: Path) -> None:
    text = LEAST + (
        'shards = 2\nfast = true\nnote = "x"\n[upstreams]\nranking = ["a:1"]\nretrieval = [["b:1", "b:2"], ["c:1"]]\n'
        "[timeouts]\ntotal = 3\n[weights]\nlike = 1\n"
    )
    told = read(tmp_path, text)
    assert (told.bundle, told.shards, told.fast, told.note) == (Path("models"), 2, True, "x")
    assert told.upstreams == Upstreams(ranking=("a:1",), retrieval=(("b:1", "b:2"), ("c:1",)))
    assert told.timeouts.total == 3.0 and told.weights == {"like": 1.0}


def test_environment_holds_over_the_file(tmp_path: Path) -> None:
    told = read(
        tmp_path,
        LEAST + 'shards = 2\n[upstreams]\nranking = ["a:1"]\n',
        RECMESH_SHARDS="4",
        RECMESH_FAST="true",
        RECMESH_UPSTREAMS_RETRIEVAL="b:1, b:2; c:1",
        RECMESH_TIMEOUTS_TOTAL="0.5",
    )
    assert (told.shards, told.fast, told.timeouts.total) == (4, True, 0.5)
    assert told.upstreams == Upstreams(ranking=("a:1",), retrieval=(("b:1", "b:2"), ("c:1",)))


def test_environment_alone_is_enough() -> None:
    told = load(Example, None, {"RECMESH_LISTEN": "[::1]:7200", "RECMESH_BUNDLE": "models"})
    assert told.listen == "[::1]:7200" and told.admin_address == "[::1]:7250"


def test_admin_port_of_a_free_port_is_free_too(tmp_path: Path) -> None:
    assert read(tmp_path, 'listen = "127.0.0.1:0"\nbundle = "m"\n').admin_address == "127.0.0.1:0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST + "shrads = 2\n", "/example.toml:3: unknown key 'shrads'; did you mean 'shards'? The keys are "),
        (LEAST + "[upstreams]\nraking = []\n", "/example.toml:4: unknown key 'raking' in [upstreams]; did you mean"),
        (LEAST + "[upsteams]\n", "/example.toml:3: unknown key 'upsteams'; did you mean 'upstreams'?"),
        ('listen = "127.0.0.1:7200"\n', "/example.toml: bundle is missing; set it there or as RECMESH_BUNDLE"),
        (LEAST + "[upstreams]\nretrieval = []\n", "/example.toml: upstreams.ranking is missing; set it there or as"),
        (LEAST + 'shards = "2"\n', "/example.toml:3: shards must be a whole number, not '2'"),
        (LEAST + "shards = true\n", "/example.toml:3: shards must be a whole number, not True"),
        (LEAST + "fast = 1\n", "/example.toml:3: fast must be true or false, not 1"),
        (LEAST + "timeouts = 3\n", "/example.toml:3: timeouts must be a table, [timeouts]"),
        (LEAST + "[timeouts]\ntotal = nan\n", "/example.toml:4: timeouts.total must be a number, not nan"),
        (
            LEAST + 'upstreams.ranking = "a:1"\n',
            "/example.toml:3: upstreams.ranking must be a list of which each is a t",
        ),
        (LEAST + '[weights]\nlike = "much"\n', "/example.toml:3: weights must be a number, not {'like': 'much'}"),
        (LEAST + "drain_grace_seconds = -1\n", "/example.toml:3: drain_grace_seconds = -1 is outside 0 to 600"),
        (LEAST + 'log = "xml"\n', '/example.toml:3: log = "xml" is none of auto, json, human'),
        ('bundle = "m"\nlisten = "7200"\n', '/example.toml:2: listen = "7200" is no address; write host:port, for'),
        ('bundle = "m"\nlisten = "127.0.0.1:65500"\n', '/example.toml: admin = "127.0.0.1:65550" is no address; write'),
        (LEAST + "shards = \n", "/example.toml: not valid TOML: Invalid value (at line 3, column 10)"),
    ],
)
def test_wrong_key_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


def test_wrong_variable_is_refused_by_name(tmp_path: Path) -> None:
    assert refusal(tmp_path, LEAST, RECMESH_SHARDS="two").startswith(
        "environment: RECMESH_SHARDS must be a whole number, not 'two'"
    )
    assert refusal(tmp_path, LEAST, RECMESH_SHRADS="2") == (
        "environment: unknown variable RECMESH_SHRADS; did you mean RECMESH_SHARDS?"
    )


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    read(tmp_path, LEAST, RECMESH_GATEWAY_SERVICE_HOST="10.0.0.1", RECMESH_GATEWAY="127.0.0.1:7000", PATH="/bin")


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file or directory; name an existing file"):
        load(Example, str(tmp_path / "none.toml"), {})
    (tmp_path / "latin.toml").write_bytes(b'note = "\xe9"')
    with pytest.raises(SettingsError, match=r"latin\.toml: not UTF-8 text at byte 8"):
        load(Example, str(tmp_path / "latin.toml"), {})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:65535", "[::1]:7000", "retrieval-0.retrieval:7200"])
def test_addresses_are_host_and_port(address: str) -> None:
    check_address("listen", address)


@pytest.mark.parametrize("address", ["", "localhost", ":7000", "::1:7000", "a:65536", "a:-1", "a:7O00", "a:\u0667"])
def test_other_texts_are_no_addresses(address: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        check_address("listen", address)


@given(st.dictionaries(st.text(st.characters(codec="ascii"), max_size=8), st.integers() | st.text() | st.booleans()))
def test_any_unknown_table_is_a_settings_error(table: dict[str, object]) -> None:
    """Whatever a file holds, the process ends with a sentence."""
    environ = {f"RECMESH_{name.upper()}": str(value) for name, value in table.items()}
    environ.pop("RECMESH_LISTEN", None)
    with pytest.raises(SettingsError):
        load(Example, None, environ)


TLS = 'tls_certificate = "a.crt"\ntls_key = "a.key"\ntls_authorities = "ca.pem"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'tls_key = "a"\n',
            "tls_certificate is missing; give tls_certificate, tls_key, tls_authorities or none of them",
        ),
        ('tls_peers = ["spiffe://mesh"]\n', "/example.toml:3: tls_peers is of no use without tls_certificate"),
        (TLS + 'tls_peers = ["mesh"]\n', "'mesh' is no SPIFFE id; write spiffe://domain/name"),
        (
            'allow = [["spiffe://mesh/a", "*"]]\n',
            "/example.toml:3: allow goes by the certificates of callers; give tls",
        ),
        (TLS + 'allow = [["spiffe://mesh/a"]]\n', "allow has ['spiffe://mesh/a']; write a principal and then methods"),
        (TLS + 'allow = [["spiffe://*/a", "*"]]\n', "allow has ['spiffe://*/a', '*']; write a principal"),
    ],
)
def test_half_of_what_tls_needs_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, LEAST + text)


def test_who_may_call_what_can_be_a_variable(tmp_path: Path) -> None:
    told = read(tmp_path, LEAST + TLS, RECMESH_ALLOW="spiffe://mesh/a,/x.Y/*;spiffe://mesh/b,/x.Y/Z,/x.Y/Z2")
    assert told.allow == (("spiffe://mesh/a", "/x.Y/*"), ("spiffe://mesh/b", "/x.Y/Z", "/x.Y/Z2"))
