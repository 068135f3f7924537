"""`python -m training fit | evaluate | language | recommend | inspect`."""

import io
import signal
import sys

from training.commands import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what stops a job by either signal is cleaned up after
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold what a terminal cannot show
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))
