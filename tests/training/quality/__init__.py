"""Tests of the quality table."""
