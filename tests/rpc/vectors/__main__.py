"""Writes the vectors anew."""

from __future__ import annotations

from tests.rpc.vectors import scripts
from tests.rpc.vectors.record import file_of, text_of

for topic in scripts.TOPICS:
    file_of(topic).write_text(text_of(topic), encoding="utf-8")
