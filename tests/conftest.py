"""What holds for every test."""

import models  # noqa: F401 - before any test imports NumPy: it sets one thread a call, as every process has
