"""Matrix factorisations that benchmarks/training.py compares: interactions in, factors of every step out.

    python -m benchmarks.peers.factorizers CONTESTANT TAKEN.npz FACTORS.npz --dimension D --steps N --threads T --seed S

FACTORS.npz holds the seconds of each step and the factors after it. Imports what its contestant needs and no more: the
rival's environment holds the rival alone.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from scipy import sparse

Taken: TypeAlias = Any  # users by items, compressed rows: an array for recmesh, a matrix for the rival
Told: TypeAlias = Callable[[float, Any, Any], None]  # seconds of a step, factors of users and items after it


def by_recmesh(taken: Taken, dimension: int, steps: int, threads: int, seed: int, told: Told) -> None:
    from models import ials

    config = ials.IalsConfig(dimension=dimension, steps=steps, unobserved_weight=UNOBSERVED)
    config = ials.settled(config, taken)
    improved = ials.improved(taken, config, np.random.default_rng(seed), lambda rows: None)
    for _ in range(steps):
        begun = time.perf_counter()
        users, items = next(improved)
        told(time.perf_counter() - begun, users, items)


def by_implicit(gradients: bool, taken: Taken, dimension: int, steps: int, threads: int, seed: int, told: Told) -> None:
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=dimension,
        regularization=REGULARIZATION,
        alpha=ALPHA,
        iterations=steps,
        use_cg=gradients,
        use_gpu=False,
        num_threads=threads,
        random_state=seed,
    )

    def after(step: int, seconds: float, loss: float) -> None:
        told(seconds, np.array(model.user_factors), np.array(model.item_factors))

    model.fit(sparse.csr_matrix(taken), show_progress=False, callback=after)


# The best for ml-1m in 64 dimensions, by NDCG@10 on what is held out. Of recmesh among .1, .3 and 1 with half,
# once and twice the regularisation it finds itself; of implicit among 1, 10, 30 and 100 with an alpha of 1, 3 and 10.
UNOBSERVED: Final = 0.3
REGULARIZATION: Final = 30.0
ALPHA: Final = 3.0

CONTESTANTS: Final[dict[str, Callable[[Taken, int, int, int, int, Told], None]]] = {
    "recmesh": by_recmesh,
    "implicit-cg": partial(by_implicit, True),
    "implicit-cholesky": partial(by_implicit, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("taken", type=Path)
    parser.add_argument("out", type=Path)
    for name in ("dimension", "steps", "threads", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    given = parser.parse_args()
    with np.load(given.taken, allow_pickle=False) as stored:
        parts = (stored["data"], stored["indices"], stored["indptr"])
        taken = sparse.csr_array(parts, shape=tuple(stored["shape"].tolist()))
    seconds: list[float] = []
    factors: dict[str, Any] = {}

    def told(spent: float, users: Any, items: Any) -> None:
        factors[f"users_{len(seconds)}"], factors[f"items_{len(seconds)}"] = users, items
        seconds.append(spent)

    CONTESTANTS[given.contestant](taken, given.dimension, given.steps, given.threads, given.seed, told)
    np.savez(given.out, seconds=np.array(seconds), cpu=np.array(sum(os.times()[:2])), **factors)


if __name__ == "__main__":
    main()
