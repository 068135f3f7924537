"""Tests of the SDK, against a gateway that answers from memory."""
