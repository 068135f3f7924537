"""The network on torch, as functions of its weights: what `models.sasrec` serves, with gradients and dropout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from models.sasrec import SequenceConfig

Weights: TypeAlias = Mapping[str, Tensor]

DEVIATION: Final = 0.02  # of the first vectors of positions, as in BERT


def fresh(items: Tensor, config: SequenceConfig, generator: torch.Generator) -> dict[str, Tensor]:
    """Weights under these vectors of items: projections after Glorot and Bengio (2010), norms that change nothing."""
    d, blocks, inner = config.dimension, config.blocks, config.dimension * config.widening

    def normal(deviation: float, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * deviation

    return {
        "items": items,
        "positions": normal(DEVIATION, config.length, d),
        "norm_scales": torch.ones(2 * blocks + 1, d),
        "norm_shifts": torch.zeros(2 * blocks + 1, d),
        "attention_in": normal(math.sqrt(2 / (2 * d)), blocks, d, 3 * d),
        "attention_in_bias": torch.zeros(blocks, 3 * d),
        "attention_out": normal(math.sqrt(2 / (2 * d)), blocks, d, d),
        "attention_out_bias": torch.zeros(blocks, d),
        "feed_in": normal(math.sqrt(2 / (d + inner)), blocks, d, inner),
        "feed_in_bias": torch.zeros(blocks, inner),
        "feed_out": normal(math.sqrt(2 / (d + inner)), blocks, inner, d),
        "feed_out_bias": torch.zeros(blocks, d),
    }


def states(weights: Weights, rows: Tensor, heads: int, dropout: float) -> Tensor:
    """Sequences of item rows, oldest first (n, length), to what comes next at each place (n, length, d).

    A place sees those before it alone: sequences may be filled up at their ends with any row.
    """
    places = weights["positions"][: rows.shape[1]]
    d = places.shape[1]
    x = _dropped(functional.embedding(rows, weights["items"]) * math.sqrt(d) + places, dropout)
    for block in range(len(weights["attention_out"])):
        x = x + _dropped(_attention(weights, block, _normed(weights, 2 * block, x), heads), dropout)
        wide = _normed(weights, 2 * block + 1, x) @ weights["feed_in"][block] + weights["feed_in_bias"][block]
        x = x + _dropped(functional.relu(wide) @ weights["feed_out"][block] + weights["feed_out_bias"][block], dropout)
    return _normed(weights, -1, x)


def _attention(weights: Weights, block: int, x: Tensor, heads: int) -> Tensor:
    n, length, d = x.shape
    joined = x @ weights["attention_in"][block] + weights["attention_in_bias"][block]
    query, key, value = joined.view(n, length, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    told = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    seen = told.transpose(1, 2).reshape(n, length, d)
    return seen @ weights["attention_out"][block] + weights["attention_out_bias"][block]


def _normed(weights: Weights, which: int, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], weights["norm_scales"][which], weights["norm_shifts"][which])


def _dropped(x: Tensor, dropout: float) -> Tensor:
    return functional.dropout(x, dropout) if dropout else x


def loss(items: Tensor, told: Tensor, wanted: Tensor, negatives: Tensor, among: int) -> Tensor:
    """Sampled softmax: the cross entropy of the wanted rows among these and the shared negatives.

    Each negative stands for its share of the items `among` which they were drawn, so that their sum estimates that of
    all; one that is wanted itself counts nothing.
    """
    weight = math.log(among / len(negatives))
    right = (told * functional.embedding(wanted, items)).sum(dim=1)
    wrong = told @ functional.embedding(negatives, items).T + weight
    wrong = wrong.masked_fill(negatives[None, :] == wanted[:, None], -math.inf)
    return (torch.logaddexp(right, wrong.logsumexp(dim=1)) - right).mean()
