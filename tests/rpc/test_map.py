"""The map at the top of the package names every module."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from recmesh import rpc


def test_the_map_names_every_module_and_no_other() -> None:
    map_ = (rpc.__doc__ or "").partition("\n\n")[2]
    names = {name for line in map_.splitlines() for name in re.findall(r"[a-z_]+\*?", line.partition("  ")[0])}
    modules = {path.stem for path in Path(rpc.__path__[0]).glob("*.py")} - {"__init__"}
    assert {name for name in names if not any(fnmatch(module, name) for module in modules)} == set()
    assert {module for module in modules if not any(fnmatch(module, name) for name in names)} == set()
