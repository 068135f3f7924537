"""Starts the retrieval service: python -m services.retrieval --config FILE"""

from recmesh.ops.process import run
from services.retrieval.settings import Settings
from services.retrieval.start import start

if __name__ == "__main__":
    run("retrieval", Settings, start)
