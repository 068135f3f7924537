"""`python -m training fit | evaluate | recommend | inspect`."""

import sys

from training.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))
