"""Tests of recmesh.ops."""
