"""The algorithms and the bundle format: fitting and applying side by side, no network.

Training and serving import the same functions from here, so that a score means the same in both.
"""

import os

# One thread a BLAS or OpenMP call: concurrency comes from the pool of calls. Left at the number of cores,
# a product of 0.4 ms took 5 to 27 ms under load. Must be set before NumPy is imported.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
