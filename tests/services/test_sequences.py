"""What the sequence model says over the wire: a vector of a history, and the items it scores."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from models.bundle import Bundle
from models.data import History, Interactions
from models.encoder import Encoder
from models.sasrec import Network, SequenceConfig
from models.shard import ItemShard, Query
from recmesh.rpc import Channel, Handlers, tx
from recmesh.rpc.status import Status
from recmesh.v1 import embedding_pb2, retrieval_pb2
from recmesh.v1.embedding_rpc import EmbeddingStub
from services.common.columns import history_message
from services.common.versions import Versions
from services.common.workers import Workers
from services.embedding.service import SEQUENCES_INLINE, Embedding
from tests.models.networks import SMALL, drawn
from tests.services.kit import Turning, workers_at_once
from tests.services.retrieval.kit import Replica
from tests.services.tiny import write_bundle
from training import fit

TAKEN = History(["i3", "i1"], np.ones(2, np.float32), np.array([2.0, 1.0]))


def some_network(
    data: Interactions,
    config: SequenceConfig,
    seed: int,
    begin: Network | None,
    done: Callable[[int], None],
    clock: Callable[[], float],
) -> Network:
    return drawn(len(data.item_ids))


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with a network of drawn weights."""
    monkeypatch.setattr(fit, "fit_on_torch", some_network)
    monkeypatch.setattr(fit, "torch_needed", lambda config: None)
    return write_bundle(tmp_path / "bundle", sequence=SMALL)


def embedded(bundle: Path, *histories: History, workers: Workers | None = None) -> embedding_pb2.EmbedHistoryResponse:
    turning, handlers = Turning(), Handlers()
    versions = Versions(bundle, Encoder, workers_at_once())
    turning.result(versions.open())
    Embedding(versions, workers or workers_at_once()).register(handlers)
    request = embedding_pb2.EmbedHistoryRequest(histories=map(history_message, histories))
    return turning.result(EmbeddingStub(Channel(handlers)).embed_history(request))


def test_a_history_becomes_the_networks_state(bundle: Path) -> None:
    answer = embedded(bundle, TAKEN)
    assert answer.sequence_dimension == SMALL.dimension
    expected = Encoder(Bundle.open(bundle)).embed_sequences([TAKEN])[0]
    np.testing.assert_array_equal(np.frombuffer(answer.sequences, "<f4"), expected)


@pytest.mark.parametrize(("amount", "jobs"), [(SEQUENCES_INLINE, 0), (SEQUENCES_INLINE + 1, 1)])
def test_more_histories_than_the_network_reads_at_once_leave_the_reactor(bundle: Path, amount: int, jobs: int) -> None:
    handed_over: list[Callable[[], Any]] = []

    def in_thread(work: Callable[[], Any]) -> Deferred[Any]:
        handed_over.append(work)
        return execute(work)

    answer = embedded(bundle, *[TAKEN] * amount, workers=Workers(in_thread, tx.Clock(Clock())))
    assert len(handed_over) == jobs
    assert len(answer.sequences) == 4 * SMALL.dimension * amount


def test_a_shard_scores_its_items_with_it(bundle: Path, tmp_path: Path) -> None:
    replica = Replica(tmp_path / "a", bundle)
    try:
        sequence = embedded(bundle, TAKEN).sequences
        answer = replica.search(sequence=sequence, sources=["sequence"], count=5)
        told = dict(zip(answer.item_ids, np.frombuffer(answer.sources[0].scores, "<f4").tolist(), strict=True))
        query = Query(
            sequence=np.frombuffer(sequence, "<f4").astype(np.float32), sources=frozenset({"sequence"}), count=5
        )
        expected = ItemShard(Bundle.open(bundle)).search(query)
        assert told == dict(zip(expected.item_ids, expected.scores["sequence"].tolist(), strict=True))
        wrong = replica.stub.search(retrieval_pb2.SearchRequest(count=5, sequence=b"abcd"))
        assert "sequence" in replica.turning.refusal(wrong, Status.INVALID_ARGUMENT)
    finally:
        replica.close()
