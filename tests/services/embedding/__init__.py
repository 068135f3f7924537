"""Tests of services.embedding."""
