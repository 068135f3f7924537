"""Tests of the benchmarks: that they run, and what they make of figures."""
