"""Windows hold every step of every user once, in their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.models.worlds import interactions
from training.neural.batches import Batch, Sequences, batches

LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=12)


def of_lengths(lengths: list[int]) -> Sequences:
    """The item at place p of all is p, so that the item after any but a user's last is one more."""
    return Sequences(np.arange(sum(lengths), dtype=np.int32), np.cumsum([0, *lengths]).astype(np.int64))


def steps(batch: Batch) -> list[tuple[int, int]]:
    return list(zip(batch.rows.flatten()[batch.places].tolist(), batch.wanted.tolist(), strict=True))


@given(LENGTHS, st.integers(1, 7), st.integers(1, 40), st.integers(0, 9))
def test_every_step_is_there_once(lengths: list[int], length: int, events: int, seed: int) -> None:
    sequences = of_lengths(lengths)
    found = [step for batch in batches(sequences, length, events, np.random.default_rng(seed)) for step in steps(batch)]
    last = set((np.cumsum(lengths) - 1).tolist())
    assert sorted(found) == [(item, item + 1) for item in range(sum(lengths)) if item not in last]


@given(LENGTHS, st.integers(1, 7), st.integers(1, 40))
def test_a_batch_is_bounded(lengths: list[int], length: int, events: int) -> None:
    for batch in batches(of_lengths(lengths), length, events, np.random.default_rng(0)):
        assert batch.rows.shape[1] <= length
        assert len(batch.wanted) < events + length


def test_the_same_seed_gives_the_same_batches_and_another_cuts_elsewhere() -> None:
    def drawn(seed: int) -> list[list[tuple[int, int]]]:
        return [steps(batch) for batch in batches(of_lengths([50, 40]), 7, 20, np.random.default_rng(seed))]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_windows_of_a_batch_are_of_about_one_length() -> None:
    found = list(batches(of_lengths([3] * 50 + [40] * 50), 40, 100, np.random.default_rng(0)))
    filled_up = sum(batch.rows.size - len(batch.wanted) for batch in found)
    assert filled_up < 0.02 * sum(len(batch.wanted) for batch in found)


def test_only_what_was_wished_for_is_learnt_from() -> None:
    data = interactions([(0, 1), (0, 2), (0, 3), (1, 4), (1, 5)], 3, 6, [1.0, -1.0, 0.5, 1.0, 0.0])
    found = Sequences.of(data)
    assert found.items.tolist() == [1, 3, 4]
    assert found.lengths.tolist() == [2, 1, 0]


def test_last_entries_can_be_kept_back() -> None:
    found = of_lengths([3, 0, 4]).without_last(np.array([0, 2]))
    assert found.items.tolist() == [0, 1, 3, 4, 5]
    assert found.lengths.tolist() == [2, 0, 3]
