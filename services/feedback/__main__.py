"""Starts the feedback service, or exports its events:

python -m services.feedback --config FILE
python -m services.feedback export --config FILE --out EVENTS.jsonl
"""

import sys

from recmesh.ops.process import run
from services.feedback import export
from services.feedback.service import start
from services.feedback.settings import Settings

if __name__ == "__main__":
    if sys.argv[1:2] == ["export"]:
        sys.exit(export.main(sys.argv[2:]))
    run("feedback", Settings, start)
