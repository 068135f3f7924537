"""Whose the file of a Unix socket is."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from recmesh.rpc.unix import MODE, bound, file_of


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


def test_a_socket_is_for_its_user_and_group(path: str) -> None:
    with bound(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == MODE


def test_one_that_nobody_listens_on_is_replaced(path: str) -> None:
    bound(path).close()
    with bound(path) as sock:
        sock.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_one_that_somebody_listens_on_is_not(path: str) -> None:
    with bound(path) as sock:
        sock.listen()
        with pytest.raises(OSError, match="Address already in use"):
            bound(path)
        assert os.path.exists(path)


def test_a_file_that_is_no_socket_is_left_alone(path: str) -> None:
    Path(path).write_text("precious")
    with pytest.raises(FileExistsError, match="it is a file, and no socket"):
        bound(path)
    assert Path(path).read_text() == "precious"


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bound(str(tmp_path / "none" / "socket"))


def test_a_file_is_told_from_another_at_its_place(path: str) -> None:
    assert file_of(path) is None
    with bound(path):
        first = file_of(path)
        assert first is not None and file_of(path) == first
        os.rename(path, path + ".kept")
        with bound(path):
            assert file_of(path) not in {first, None}
