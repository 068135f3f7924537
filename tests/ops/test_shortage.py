"""What is logged when the system gives no more file descriptors."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from twisted.internet import tcp
from twisted.logger import Logger

from recmesh.ops.shortage import Shortage


class Seconds:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Reserved:
    """Twisted's spare descriptor; `there` if it can be had."""

    def __init__(self, there: bool) -> None:
        self._there = there

    def available(self) -> bool:
        return self._there

    def __enter__(self) -> None:
        """Lets it go."""

    def __exit__(self, *exception: object) -> None:
        """Takes it back."""


class Exhausted:
    """A listening socket of a process without a file descriptor left."""

    def __init__(self, error: int) -> None:
        self._errors = [errno.EAGAIN, error]  # and then no client is left

    def accept(self) -> socket.socket:
        raise OSError(self._errors.pop(), "no more")


@pytest.mark.parametrize(("error", "spare"), [(errno.EMFILE, True), (errno.EMFILE, False), (errno.ENFILE, True)])
def test_what_twisted_says_of_it_becomes_an_error(error: int, spare: bool, caplog: pytest.LogCaptureFixture) -> None:
    accept: Any = tcp._accept  # so that a Twisted which says it in other words is noticed here
    said: Any = Logger(namespace="twisted.internet.tcp", observer=Shortage())
    assert list(accept(said, range(1), Exhausted(error), Reserved(spare))) == []
    [record] = caplog.records
    assert record.levelname == "ERROR" and errno.errorcode[error] in record.getMessage()


def test_it_is_said_once_a_second_at_most(caplog: pytest.LogCaptureFixture) -> None:
    seconds = Seconds()
    shortage = Shortage(seconds)
    for seconds.now in (0.0, 0.5, 0.9, 1.0, 1.5):
        shortage({"log_format": "EMFILE encountered; releasing reserved file descriptor."})
    assert len(caplog.records) == 2


def test_other_records_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    for event in ({"log_format": "Starting factory"}, {"log_format": None}, {}):
        Shortage()(event)
    assert not caplog.records
