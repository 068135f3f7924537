"""Starts the ranking service: python -m services.ranking --config FILE"""

from recmesh.ops.process import run
from services.ranking.service import start
from services.ranking.settings import Settings

if __name__ == "__main__":
    run("ranking", Settings, start)
