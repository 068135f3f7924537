"""The map at the top of a package names every module."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from recmesh import rpc
from recmesh.rpc import connection, session


@pytest.mark.parametrize("package", [rpc, session, connection], ids=lambda package: package.__name__)
def test_the_map_names_every_module_and_no_other(package: ModuleType) -> None:
    map_ = (package.__doc__ or "").partition("\n\n")[2]
    names = {name for line in map_.splitlines() for name in re.findall(r"[a-z_]+/?", line.partition("  ")[0])}
    folder = Path(package.__path__[0])
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert names == modules | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}
