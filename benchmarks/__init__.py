"""Benchmarks: one script a question, JSON out, with the peers it is compared to."""
