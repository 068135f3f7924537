"""Files of a dataset: plain, gzip or xz, and their rows with line numbers whatever their format."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import lzma
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from training.datasets.rejects import BadRow, Rejects
from training.datasets.spec import TableSpec
from training.errors import DatasetError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson", ".json")
TABLE_SUFFIXES = (*DELIMITERS, *JSON_LINES, ".parquet")
PARQUET_BATCH = 10_000  # rows in memory at once
MAX_LINE = 16_000_000  # characters: a hundred times the longest description, and what a file without line ends may cost

_FOREIGN = re.compile("[\x00\ud800-\udfff]")  # the zeros of UTF-16, and how undecodable bytes arrive

Row = Mapping[str, Any]


class SourceFiles:
    """The files of a dataset directory by their names without compression; or a single file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        self._read: set[str] = set()
        if not path.exists():
            raise DatasetError(f"{path}: no such directory; name the directory that holds the dataset")
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in found:
            if file.is_file() and not file.name.startswith("."):
                self._enter(file)

    def _enter(self, file: Path) -> None:
        name = plain_name(file.name)
        if name in self._files:
            raise DatasetError(f"{file} stands beside {self._files[name].name}; keep one of the two")
        self._files[name] = file

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def take(self, name: str) -> Path:
        """The file of this name, with or without its compression's suffix; remembered as one that was read."""
        name = plain_name(name)
        if name not in self._files:
            raise DatasetError(f"{self.path / name}: no such file; it may also end in .gz or .xz")
        self._read.add(name)
        return self._files[name]

    def peek(self, name: str) -> Path:
        """The path of a file that is there, without counting it as read."""
        return self._files[name]

    def table(self, stem: str) -> str:
        """The name of the table called `stem` in one of the known formats, or nothing."""
        names = [stem + suffix for suffix in TABLE_SUFFIXES if stem + suffix in self._files]
        if len(names) > 1:
            raise DatasetError(f"{self.path}: {' and '.join(names)} are both there; keep one of them")
        return names[0] if names else ""

    def not_read(self) -> list[str]:
        return [file.name for name, file in self._files.items() if name not in self._read]

    def fingerprint(self) -> str:
        """sha256 over the names and contents of the files that were read."""
        whole = hashlib.sha256()
        for name in sorted(self._read):
            with self._files[name].open("rb") as file:
                whole.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return whole.hexdigest()


def plain_name(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".xz")


def _decompressed(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path))
    if path.suffix == ".xz":
        return lzma.open(path)
    return path.open("rb")


@contextmanager
def open_text(path: Path, encoding: str = "utf-8") -> Iterator[IO[str]]:
    """Bytes that are not of the encoding come as lone surrogates, so that the row they stand in can be rejected."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # spreadsheets put a byte order mark in front
    try:
        with _decompressed(path) as content, TextIOWrapper(content, encoding, "surrogateescape", newline="") as file:
            yield file
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path} is damaged or cut short ({error}); fetch or compress it again") from error
    except LookupError as error:
        raise DatasetError(f"{path}: {error}; set encoding in dataset.toml to one Python knows") from error
    except UnicodeError as error:
        raise DatasetError(f"{path} is not {encoding}; set encoding in dataset.toml to what it is") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error


def read_lines(file: IO[str], path: Path) -> Iterator[str]:
    """The lines of a file, each with its end."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            raise DatasetError(
                f"{path}: line {number:,} is longer than {MAX_LINE:,} characters; "
                "write a row a line, and name the file by its format"
            )
        yield line


def read_rows(path: Path, spec: TableSpec, rejects: Rejects) -> Iterator[tuple[int, Row]]:
    """Line number and fields of every row that can be parsed; the others go to `rejects`."""
    suffix = Path(plain_name(path.name)).suffix
    if suffix == ".parquet":
        rows = _parquet_rows(path, rejects)
    elif suffix in JSON_LINES:
        rows = _json_rows(path, spec, rejects)
    else:
        rows = _csv_rows(path, spec, spec.delimiter or DELIMITERS.get(suffix, ","), rejects)
    yield from rows
    rejects.finish(path.name)


def _csv_rows(path: Path, spec: TableSpec, delimiter: str, rejects: Rejects) -> Iterator[tuple[int, Row]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if spec.quotes else csv.QUOTE_NONE
    with open_text(path, spec.encoding) as file:
        reader = csv.reader(read_lines(file, path), delimiter=delimiter, quoting=quoting, strict=True)
        header = list(spec.header) or _header(path, reader, spec.encoding)
        while True:
            before = reader.line_num
            try:
                fields = next(reader, None)
                if fields is None:
                    return
                if not fields:
                    continue  # an empty line
                if len(fields) != len(header):
                    raise BadRow("not as many fields as the header")
            except (csv.Error, BadRow) as error:
                reason = str(error) if isinstance(error, BadRow) else f"not CSV: {error}"
                lines = max(reader.line_num - before, 1)
                rejects.seen(path.name, lines)
                rejects.add(path.name, before + 1, reason, fields if isinstance(error, BadRow) else "", lines)
                continue
            rejects.seen(path.name)
            yield before + 1, dict(zip(header, fields, strict=True))


def _header(path: Path, reader: Iterator[list[str]], encoding: str) -> list[str]:
    try:
        names = next(reader, [])
    except csv.Error as error:
        raise DatasetError(f"{path}: the header is not CSV ({error}); describe the file in dataset.toml") from error
    if _FOREIGN.search(",".join(names)):
        raise DatasetError(f"{path}: the header is not {encoding}; set encoding in dataset.toml to what it is")
    if len(set(names)) < len(names):
        raise DatasetError(f"{path}: two columns have the same name in the header {', '.join(names)}; rename one")
    return names


def _json_rows(path: Path, spec: TableSpec, rejects: Rejects) -> Iterator[tuple[int, Row]]:
    with open_text(path, spec.encoding) as file:
        for number, line in enumerate(read_lines(file, path), 1):
            if not line.strip():
                continue
            rejects.seen(path.name)
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                rejects.add(path.name, number, "not JSON", line)
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                rejects.add(path.name, number, "not a JSON object", line)


def _parquet_rows(path: Path, rejects: Rejects) -> Iterator[tuple[int, Row]]:
    try:
        number = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    rejects.seen(path.name)
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read as Parquet: {error}") from error
