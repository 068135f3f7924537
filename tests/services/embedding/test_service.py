"""What callers of the embedding service get: rows of vectors, and clear refusals."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import Bundle
from models.data import History
from models.encoder import Encoder
from recmesh.rpc import Channel, Handlers
from recmesh.rpc.status import Status
from recmesh.v1 import common_pb2
from recmesh.v1 import embedding_pb2 as pb
from recmesh.v1.embedding_rpc import EmbeddingStub
from services.common.columns import history_message
from services.common.versions import Versions
from services.embedding.service import HISTORIES_INLINE, MOST_ROWS, TEXT_INLINE, Embedding
from tests.services.kit import Turning, workers_at_once
from tests.services.tiny import CONTENT, FACTORS


class Service:
    def __init__(self, bundle: Path) -> None:
        self.turning = Turning()
        versions = Versions(bundle, Encoder, workers_at_once())
        self.turning.result(versions.open())
        handlers = Handlers()
        Embedding(versions, workers_at_once()).register(handlers)
        self.stub = EmbeddingStub(Channel(handlers))

    def histories(self, *histories: History) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        request = pb.EmbedHistoryRequest(histories=map(history_message, histories))
        return rows(self.turning.result(self.stub.embed_history(request)), len(histories))

    def texts(self, *texts: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return rows(self.turning.result(self.stub.embed_text(pb.EmbedTextRequest(texts=texts))), len(texts))


def rows(answer: Any, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    assert (answer.factor_dimension, answer.content_dimension) == (FACTORS, CONTENT)
    factors, contents = (np.frombuffer(data, "<f4").astype(np.float32) for data in (answer.factors, answer.contents))
    return factors.reshape(number, FACTORS), contents.reshape(number, CONTENT)


@pytest.fixture
def service(bundle: Path) -> Service:
    return Service(bundle)


def taken(*ids: str) -> History:
    return History(ids, np.ones(len(ids), np.float32), np.arange(len(ids), 0, -1.0))


def test_histories_become_the_encoders_vectors(service: Service, bundle: Path) -> None:
    histories = [taken("i1", "i2"), taken("i7")]
    expected = Encoder(Bundle.open(bundle)).embed_histories(histories)
    for ours, theirs in zip(service.histories(*histories), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_row_does_not_depend_on_its_company(service: Service) -> None:
    histories = [taken(f"i{number}") for number in range(HISTORIES_INLINE + 5)]
    together = service.histories(*histories)[0]
    alone = [service.histories(each)[0][0] for each in histories]
    np.testing.assert_array_equal(together, alone)


def test_a_history_nobody_knows_is_a_row_of_zeros(service: Service) -> None:
    factors, contents = service.histories(taken("unknown"), taken())
    assert not factors.any() and not contents.any()


def test_texts_become_the_encoders_vectors(service: Service, bundle: Path) -> None:
    texts = ["red planet", "", "blue " * TEXT_INLINE]
    expected = Encoder(Bundle.open(bundle)).embed_texts(texts)
    for ours, theirs in zip(service.texts(*texts), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(np.linalg.norm(service.texts("red planet")[1]), 1, rtol=1e-5)


def test_nothing_to_embed_is_an_empty_answer(service: Service) -> None:
    assert service.histories()[0].shape == (0, FACTORS) and service.texts()[1].shape == (0, CONTENT)


WRONG_HISTORIES = [
    ([common_pb2.History()] * (MOST_ROWS + 1), "histories: at most 256"),
    ([common_pb2.History(item_ids=["a"])], "histories[0].weights: 1 numbers of 4 bytes take 4 bytes, these are 0"),
    (
        [common_pb2.History(item_ids=["a"], weights=struct.pack("<f", 1), timestamps=struct.pack("<d", float("nan")))],
        "histories[0].timestamps: not every number is finite",
    ),
]


@pytest.mark.parametrize(("histories", "problem"), WRONG_HISTORIES)
def test_a_wrong_history_is_refused_by_its_field(
    service: Service, histories: list[common_pb2.History], problem: str
) -> None:
    work = service.stub.embed_history(pb.EmbedHistoryRequest(histories=histories))
    assert service.turning.refusal(work, Status.INVALID_ARGUMENT).startswith(problem)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [(["x"] * 257, "texts: at most 256"), (["x", "x" * 65_537], "texts[1]: at most 65,536 bytes of UTF-8")],
)
def test_a_wrong_text_is_refused_by_its_field(service: Service, texts: list[str], problem: str) -> None:
    work = service.stub.embed_text(pb.EmbedTextRequest(texts=texts))
    assert service.turning.refusal(work, Status.INVALID_ARGUMENT).startswith(problem)


def test_a_version_that_is_not_loaded_is_refused(service: Service) -> None:
    for work in (
        service.stub.embed_history(pb.EmbedHistoryRequest(bundle_version="no")),
        service.stub.embed_text(pb.EmbedTextRequest(bundle_version="no")),
    ):
        assert "version 'no' is not loaded" in service.turning.refusal(work, Status.FAILED_PRECONDITION)
