"""A few of the examples that `make fuzz` makes for as long as one likes."""

from __future__ import annotations

import logging

import pytest

from tests.rpc import fuzz


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_whatever_a_peer_sends_an_end_stays_sound(target: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        fuzz.run(target, 1, examples=100)
