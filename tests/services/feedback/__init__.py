"""Tests of services.feedback."""
