"""Tests of services.ranking."""
