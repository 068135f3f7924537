"""Tests of the command `recmesh`."""
