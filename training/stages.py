"""What the stages of a fit gave, kept in a folder, so that a run that was stopped goes on where it was.

A stage's result is kept under a hash of the data, the settings and the program's own code: where any of them is
another, the stage runs again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Protocol

from models.bundle import VERSION_DIGITS, Bundle, BundleError
from models.data import Interactions, ItemInfo
from models.writer import BundleWriter, Parts

ABANDONED: Final = 7 * 86_400.0  # seconds after which nobody is expected to go on with a run
CODE: Final = tuple(Path(__file__).parents[1] / package for package in ("models", "training"))


class Stages(Protocol):
    """Where results of stages may come from."""

    def kept(self, name: str, make: Callable[[], Parts]) -> Parts: ...


class EachAnew:
    """Keeps nothing."""

    def kept(self, name: str, make: Callable[[], Parts]) -> Parts:
        return make()


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """Keeps the results of one run's stages, each a directory like a bundle's."""

    path: Path
    reused: Callable[[str], None]  # is told of each stage that did not have to run

    @classmethod
    def of(cls, parent: Path, key: str, now: float, reused: Callable[[str], None]) -> WorkFolder:
        """The folder of the run with this key; those of runs that nobody went on with are removed."""
        for other in parent.iterdir() if parent.is_dir() else ():
            if other.name != key and now - other.stat().st_mtime > ABANDONED:
                shutil.rmtree(other, ignore_errors=True)
        (parent / key).mkdir(parents=True, exist_ok=True)
        return cls(parent / key, reused)

    def kept(self, name: str, make: Callable[[], Parts]) -> Parts:
        folder = name.replace(" ", "-")
        for found in sorted((self.path / folder).glob("[!.]*")):
            try:
                parts = _parts(Bundle.open(found))
            except BundleError:
                continue  # damaged: it is made again
            self.reused(name)
            return parts
        parts = make()
        with BundleWriter(folder, self.path) as writer:
            writer.add(parts)
            path = writer.finish(parts.config, {}, "", 0.0)
        # As a run that goes on would read it: a table's columns come back with other inner names.
        return _parts(Bundle.open(path, verify=False))

    def remove(self) -> None:
        """Once the whole is done; a parent that holds no other run's goes too."""
        shutil.rmtree(self.path, ignore_errors=True)
        if not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()


def _parts(bundle: Bundle) -> Parts:
    parts = Parts(bundle.config)
    for file in bundle.manifest["files"]:
        name = Path(file)
        match name.suffix:
            case ".npy":
                parts.arrays[name.stem] = bundle.array(name.stem)
            case ".parquet":
                parts.tables[name.stem] = bundle.table(name.stem)
            case ".json":
                parts.documents[name.stem] = bundle.json(name.stem)
            case _:
                parts.files[file] = bundle.bytes(file)
    return parts


def run_key(data: Interactions, items: Sequence[ItemInfo], settings: Mapping[str, Any]) -> str:
    """Tells runs apart that could give other results."""
    whole = hashlib.sha256()
    for part in _described(data, items, settings):
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:VERSION_DIGITS]


def _described(data: Interactions, items: Sequence[ItemInfo], settings: Mapping[str, Any]) -> Iterator[bytes]:
    yield json.dumps(settings, sort_keys=True).encode()
    for column in (data.users, data.items, data.weights, data.timestamps):
        yield column.tobytes()
    yield json.dumps([list(data.user_ids), list(data.item_ids)]).encode()
    names = [field.name for field in fields(ItemInfo)]
    for item in items:  # `asdict` copies every value, which for ten thousand items takes half a second
        yield json.dumps([getattr(item, name) for name in names], sort_keys=True).encode()
    for package in CODE:
        for file in sorted(package.rglob("*.py")):
            yield file.read_bytes()
