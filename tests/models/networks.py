"""Networks of drawn weights, and the sequence model worked out number by number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

import numpy as np

from models.data import Float32
from models.sasrec import EPSILON, Network, SequenceConfig
from models.writer import Parts

Weights: TypeAlias = Mapping[str, Any]  # nested lists

SMALL = SequenceConfig(enabled=True, dimension=8, blocks=2, heads=2, widening=3, length=6)


def drawn(items: int, seed: int = 0, config: SequenceConfig = SMALL) -> Network:
    rng = np.random.default_rng(seed)
    d, blocks, wide = config.dimension, config.blocks, config.dimension * config.widening
    shapes = {
        "items": (items, d),
        "positions": (config.length, d),
        "norm_scales": (2 * blocks + 1, d),
        "norm_shifts": (2 * blocks + 1, d),
        "attention_in": (blocks, d, 3 * d),
        "attention_in_bias": (blocks, 3 * d),
        "attention_out": (blocks, d, d),
        "attention_out_bias": (blocks, d),
        "feed_in": (blocks, d, wide),
        "feed_in_bias": (blocks, wide),
        "feed_out": (blocks, wide, d),
        "feed_out_bias": (blocks, d),
    }
    return Network({name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}, config.heads)


def with_network(parts: Parts, network: Network, config: SequenceConfig = SMALL) -> Parts:
    """A copy of a bundle's parts that has this network."""
    settings = {**parts.config, "sequence": asdict(replace(config, enabled=True))}
    found = Parts(settings, dict(parts.arrays), dict(parts.tables), dict(parts.documents), dict(parts.files))
    network.add_to(found)
    return found


def state_by_hand(network: Network, rows: Sequence[int]) -> list[float]:
    """The last state, one number after the other in double precision, as the definition says."""
    weights = {name: weight.tolist() for name, weight in network.weights.items()}
    d = network.dimension
    root = math.sqrt(d)
    xs = [
        [root * a + b for a, b in zip(weights["items"][row], weights["positions"][place], strict=True)]
        for place, row in enumerate(rows)
    ]
    for block in range(len(weights["attention_out"])):
        normed = [_norm(weights, 2 * block, x) for x in xs]
        xs = [_add(x, y) for x, y in zip(xs, _attend(weights, block, normed, network.heads), strict=True)]
        xs = [_add(x, _feed(weights, block, _norm(weights, 2 * block + 1, x))) for x in xs]
    return _norm(weights, -1, xs[-1])


def _attend(weights: Weights, block: int, xs: list[list[float]], heads: int) -> list[list[float]]:
    d = len(xs[0])
    size = d // heads
    joined = [_layer(weights, "attention_in", block, x) for x in xs]
    found = []
    for place in range(len(xs)):
        seen: list[float] = []
        for head in range(heads):
            first = head * size
            query = joined[place][first : first + size]
            keys = [each[d + first : d + first + size] for each in joined[: place + 1]]
            values = [each[2 * d + first : 2 * d + first + size] for each in joined[: place + 1]]
            powers = [math.exp(sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(size)) for key in keys]
            seen += [
                sum(power * value[column] for power, value in zip(powers, values, strict=True)) / sum(powers)
                for column in range(size)
            ]
        found.append(_layer(weights, "attention_out", block, seen))
    return found


def _feed(weights: Weights, block: int, x: list[float]) -> list[float]:
    return _layer(weights, "feed_out", block, [max(a, 0.0) for a in _layer(weights, "feed_in", block, x)])


def _layer(weights: Weights, name: str, block: int, x: list[float]) -> list[float]:
    columns, bias = zip(*weights[name][block], strict=True), weights[f"{name}_bias"][block]
    return [b + sum(a * c for a, c in zip(x, column, strict=True)) for b, column in zip(bias, columns, strict=True)]


def _norm(weights: Weights, which: int, x: list[float]) -> list[float]:
    mean = sum(x) / len(x)
    deviation = math.sqrt(sum((a - mean) ** 2 for a in x) / len(x) + float(EPSILON))
    scales, shifts = weights["norm_scales"][which], weights["norm_shifts"][which]
    return [(a - mean) / deviation * b + c for a, b, c in zip(x, scales, shifts, strict=True)]


def _add(x: list[float], y: list[float]) -> list[float]:
    return [a + b for a, b in zip(x, y, strict=True)]


def scores(network: Network, state: Float32) -> Float32:
    return np.asarray(np.einsum("ij,j->i", network.items, state), np.float32)
