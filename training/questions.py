"""Questions whose right answers the data knows, for fitting the blend's weights and the ranker."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.data import Float32, History, ItemInfo
from models.histories import HISTORY_LIMIT, SEEN_LIMIT, Histories, merge
from models.pipeline import LocalRecommender
from models.shard import Query
from training.splits import Split

DESCRIPTION_WORDS = 6  # what a person remembers of a plot
TITLE_SHARE = 0.7  # of the words of a title, how many a person types
TOLD = (1, 2, 5)  # first entries of a history that are told of a newcomer
SHORTER = 0.05  # of the questions: next to nothing is learnt of histories as short as so few have
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Question:
    """A query and the items that would be right."""

    query: Query
    relevant: frozenset[str]


def of_users(
    split: Split, histories: Histories, recommender: LocalRecommender, most: int, rng: np.random.Generator
) -> list[Question]:
    """What will a user take to next? Right: what they took to in the held-out slice."""
    return list(_of_users(split, histories, recommender, _some(sorted(split.targets), most, rng)))


def of_users_in_turn(
    split: Split, histories: Histories, recommender: LocalRecommender, most: int, rng: np.random.Generator
) -> Iterator[Question]:
    """As `of_users`, one by one in an order that is drawn, for who stops when they have enough."""
    return _of_users(split, histories, recommender, rng.permutation(sorted(split.targets))[:most].tolist())


def of_steps_in_turn(
    split: Split, histories: Histories, recommender: LocalRecommender, most: int, rng: np.random.Generator
) -> Iterator[Question]:
    """What will a user take to next, and what after that? Right: one event of the held-out slice each, in their order.

    A history grows with them as that of a live user does. Users stand in an order that is drawn.
    """
    wanted, data = split.targets, split.test
    starts = np.concatenate(([0], np.cumsum(np.bincount(data.users, minlength=len(data.user_ids)))))

    def steps() -> Iterator[Question]:
        for user in rng.permutation(sorted(wanted)).tolist():
            history = histories.of(data.user_ids[user])
            for row in range(starts[user], starts[user + 1]):
                item, event = data.item_ids[data.items[row]], slice(row, row + 1)
                if data.items[row] in wanted[user]:
                    yield Question(recommender.query(history, 1), frozenset({item}))
                history = merge(history, History([item], data.weights[event], data.timestamps[event]), SEEN_LIMIT)

    return islice(steps(), most)


def _of_users(
    split: Split, histories: Histories, recommender: LocalRecommender, users: Sequence[int]
) -> Iterator[Question]:
    names = split.train.item_ids
    for user in users:
        history = histories.of(split.train.user_ids[user])
        yield Question(recommender.query(history, 1), frozenset(names[item] for item in split.targets[user].tolist()))


def shortest_history(lengths: Sequence[int]) -> int:
    """Of what is learnt of histories of these lengths, in entries: without the few that are shorter still."""
    # What is longer than queries look at is as long as what they look at.
    return min(int(np.quantile(lengths, SHORTER, method="lower")), HISTORY_LIMIT) if lengths else 0


def newcomers_below(lengths: Sequence[int]) -> int:
    """Who has fewer entries is a newcomer: fewer than nearly all, and no more than TOLD tells of one.

    What is learnt of five entries holds of no more: in MovieLens-1M in order it told users of 6 to 20 their next film
    with an NDCG@10 of .02, and what follows an item alone with .23.
    """
    return min(shortest_history(lengths), max(TOLD) + 1)


def of_newcomers(questions: Sequence[Question], recommender: LocalRecommender, below: int) -> list[Question]:
    """What will somebody take to of whom little is known? Told: the first entries of a user's history, as many as TOLD
    says in turn, fewer than `below`.

    Right is what was right for the user; what they took between is no answer. Weights from the newest entries did worse
    for users who were new.
    """
    told = [entries for entries in TOLD if entries < below]
    histories = [question.query.history for question in questions]
    found = []
    for number, (question, history) in enumerate(zip(questions, histories, strict=True)):
        entries = told[number % len(told)] if told else 0
        if history is not None and 0 < entries < len(history):
            query = recommender.query(first(history, entries), 1, history.item_ids)
            found.append(Question(query, question.relevant))
    return found


def first(history: History, entries: int) -> History:
    """The oldest ones, which stand last."""
    return History(history.item_ids[-entries:], history.weights[-entries:], history.timestamps[-entries:])


def of_items(split: Split, recommender: LocalRecommender, most: int, rng: np.random.Generator) -> list[Question]:
    """What is like an item? Right: what somebody who liked it in the held-out slice liked there too."""
    liked = split.targets
    names = split.train.item_ids
    questions = []
    for user in _some(sorted(user for user in liked if len(liked[user]) > 1), most, rng):
        ids = [names[item] for item in liked[user].tolist()]
        asked = ids[int(rng.integers(len(ids)))]
        questions.append(Question(recommender.query_of_item(asked, 1), frozenset(ids) - {asked}))
    return questions


def of_texts(
    items: Sequence[ItemInfo], popularity: Float32, recommender: LocalRecommender, most: int, rng: np.random.Generator
) -> list[Question]:
    """Which item is meant by these words? Right: the one they are taken from; popular ones are asked for more often."""
    questions = []
    for place in _drawn(popularity, most, rng):
        text = excerpt(items[place], rng)
        if text:
            questions.append(Question(recommender.query_of_text(text, 1), frozenset({items[place].id})))
    return questions


def excerpt(item: ItemInfo, rng: np.random.Generator) -> str:
    """Half the time some words of the title, half the time a few neighbouring words of the description."""
    title, text = _WORD.findall(item.title), _WORD.findall(item.text)
    if text and (not title or rng.random() < 0.5):
        start = int(rng.integers(max(1, len(text) - DESCRIPTION_WORDS)))
        return " ".join(text[start : start + DESCRIPTION_WORDS])
    kept = [word for word in title if rng.random() < TITLE_SHARE]
    return " ".join(kept or title)


def _some(users: Sequence[int], most: int, rng: np.random.Generator) -> list[int]:
    if len(users) <= most:
        return list(users)
    return sorted(rng.choice(users, most, replace=False).tolist())


def _drawn(popularity: Float32, most: int, rng: np.random.Generator) -> list[int]:
    """Places of items, drawn in proportion to their popularity."""
    total = popularity.sum(dtype=np.float64)
    if total <= 0:
        return []
    possible = int((popularity > 0).sum())
    drawn = rng.choice(len(popularity), min(most, possible), replace=False, p=popularity / total)
    return sorted(drawn.tolist())
