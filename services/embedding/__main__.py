"""Starts the embedding service: python -m services.embedding --config FILE"""

from recmesh.ops.process import run
from services.embedding.service import start
from services.embedding.settings import Settings

if __name__ == "__main__":
    run("embedding", Settings, start)
