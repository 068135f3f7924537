"""Tests of training: reading, cleaning, splitting, measuring, and the commands."""
