"""Tests of recmesh.discovery."""
