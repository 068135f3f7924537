"""Tests of the Spark engine: what it counts and learns is what the local engine does."""
