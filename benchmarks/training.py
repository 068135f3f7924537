"""How long iALS takes to a given quality, beside the implicit library on the same interactions.

    make bench-training
    python -m benchmarks.training [--data DATASET] [--repeats 5] [--threads 1] [--rival PYTHON] [--json FILE]

A fifth of the interactions, drawn at random, is held out, and NDCG@10 is measured on it after every step, outside the
clock. A contestant is done at the first step whose NDCG reaches the target: 99 % of what the weakest of them reaches at
its best, so that all can. Each run is a process of its own; contestants take turns. The rival needs an environment of
its own, which `make bench-training` builds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy import sparse

from benchmarks.machine import machine
from benchmarks.peers.factorizers import CONTESTANTS
from models.data import Float32
from models.sparse import Matrix, matrix_of
from training.console import Console
from training.datasets.reader import read_dataset
from training.datasets.rejects import Rejects
from training.metrics import measure
from training.preprocessing import PreprocessingConfig, prepare

CHECKOUT: Final = Path(__file__).resolve().parent.parent
SHIPPED: Final = CHECKOUT / "examples" / "data" / "ml-latest-small"
RIVAL: Final = CHECKOUT / ".venv-training" / "bin" / "python"
HELD_OUT: Final = 0.2
K: Final = 10
NEAR: Final = 0.99  # of the best: the last step to a plateau is luck
FLOOR: Final = 2.0  # times the rival's seconds at most

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What every contestant does."""

    dimension: int = 64
    steps: int = 15
    threads: int = 1
    repeats: int = 5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant once: after each step the seconds so far and the quality."""

    seconds: Sequence[float]
    ndcg: Sequence[float]

    def until(self, target: float) -> float:
        """The seconds to the first step of that quality."""
        return next(spent for spent, quality in zip(self.seconds, self.ndcg, strict=True) if quality >= target)


def cut(taken: Matrix, seed: int) -> tuple[Matrix, Matrix]:
    """What is learnt from, and what is held out."""
    held_out = np.random.default_rng(seed).random(taken.nnz) < HELD_OUT
    learnt, asked = taken.copy(), taken.copy()
    learnt.data, asked.data = np.where(held_out, 0, taken.data), np.where(held_out, taken.data, 0)
    learnt.eliminate_zeros()
    asked.eliminate_zeros()
    return learnt, asked


def ndcg(users: Float32, items: Float32, learnt: Matrix, asked: Matrix) -> float:
    """Over the whole catalogue without what was learnt from, of users with something to find."""
    wanted = np.flatnonzero(np.diff(asked.indptr))
    scores = users[wanted] @ items.T
    scores[learnt[wanted].nonzero()] = -np.inf
    best = np.argpartition(-scores, K, axis=1)[:, :K]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    ranked = np.take_along_axis(best, order, axis=1).astype(np.int32)
    relevant = [asked.indices[asked.indptr[user] : asked.indptr[user + 1]] for user in wanted.tolist()]
    return measure(ranked, relevant, scores.shape[1], K)["ndcg"]


def run(contestant: str, python: Path, learnt: Matrix, asked: Matrix, plan: Plan, folder: Path) -> Run:
    taken, out = folder / "taken.npz", folder / "factors.npz"
    shape = np.array(learnt.shape)
    np.savez(taken, data=learnt.data, indices=learnt.indices, indptr=learnt.indptr, shape=shape)
    options = {name: str(getattr(plan, name)) for name in ("dimension", "steps", "threads", "seed")}
    command = [str(python), "-m", "benchmarks.peers.factorizers", contestant, str(taken), str(out)]
    command += [word for name, value in options.items() for word in (f"--{name}", value)]
    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **one}, check=True)
    with np.load(out, allow_pickle=False) as found:
        seconds = np.cumsum(found["seconds"]).tolist()
        qualities = [
            ndcg(found[f"users_{step}"], found[f"items_{step}"], learnt, asked) for step in range(len(seconds))
        ]
    return Run(seconds, qualities)


def rows(runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """Of each contestant medians over the repeats, and of each repeat how the first compares with the others."""
    target = NEAR * min(max(one.ndcg) for repeats in runs.values() for one in repeats)
    first = next(iter(runs.values()))
    found = []
    for contestant, repeats in runs.items():
        ratios = [ours.until(target) / one.until(target) for ours, one in zip(first, repeats, strict=True)]
        found.append(
            {
                "contestant": contestant,
                "target_ndcg": round(target, 4),
                "seconds": round(statistics.median(one.until(target) for one in repeats), 3),
                "steps": statistics.median(one.seconds.index(one.until(target)) + 1 for one in repeats),
                "step_seconds": round(statistics.median(one.seconds[-1] / len(one.seconds) for one in repeats), 4),
                "best_ndcg": round(statistics.median(max(one.ndcg) for one in repeats), 4),
                "ratio": round(statistics.median(ratios), 2),
                "ratios": [round(ratio, 2) for ratio in ratios],
            }
        )
    return found


def compare(taken: Matrix, pythons: Mapping[str, Path], plan: Plan) -> list[Row]:
    learnt, asked = cut(taken, plan.seed)
    runs: dict[str, list[Run]] = {contestant: [] for contestant in pythons}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(plan.repeats):
            for contestant, python in pythons.items():
                print(contestant, file=sys.stderr, flush=True)
                runs[contestant].append(run(contestant, python, learnt, asked, plan, Path(folder)))
    return rows(runs)


def read(path: Path) -> Matrix:
    """Every interaction of a dataset that is no dislike as one: the question is who took what."""
    console = Console(sys.stderr, sys.stderr)
    with tempfile.TemporaryDirectory() as folder, Rejects(Path(folder) / "rejects.jsonl", 0.0) as rejects:
        data = prepare(read_dataset(path, rejects, console), PreprocessingConfig(), None).interactions
    taken = matrix_of(data)
    taken.data = (taken.data > 0).astype(np.float32)
    taken.eliminate_zeros()
    return sparse.csr_array(taken)


def show(found: Sequence[Row]) -> None:
    columns = ("target_ndcg", "seconds", "steps", "step_seconds", "best_ndcg", "ratio")
    print(f"{'':20}" + "".join(f"{each:>14}" for each in columns))
    for row in found:
        print(f"{row['contestant']:20}" + "".join(f"{row[name]:>14}" for name in columns))
    for row in found[1:]:
        print(f"recmesh takes {row['ratio']} times the seconds of {row['contestant']}; the floor is {FLOOR}")


def main() -> None:
    plan = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHIPPED, metavar="DATASET", help="default: the films that ship")
    parser.add_argument("--repeats", type=int, default=plan.repeats)
    parser.add_argument("--threads", type=int, default=plan.threads)
    parser.add_argument("--rival", type=Path, default=RIVAL, metavar="PYTHON", help="one that has implicit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    given = parser.parse_args()
    if not given.rival.exists():
        parser.error(f"{given.rival} is not there; `make bench-training` builds it")
    about = machine(("numpy", "scipy"))
    plan = replace(plan, threads=given.threads, repeats=given.repeats)
    pythons = {name: Path(sys.executable) if name == "recmesh" else given.rival for name in CONTESTANTS}
    found = compare(read(given.data), pythons, plan)
    show(found)
    if given.json:
        given.json.write_text(json.dumps({"results": found, "machine": about}, indent=1) + "\n")


if __name__ == "__main__":
    main()
