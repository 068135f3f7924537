"""A simulated mesh: the real policies of callers and the real door of processes, on virtual time.

    python -m tests.simulation        a thousand processes, a hundred callers; `make simulation`

reactor.py lets time jump from event to event, process.py answers calls, network.py carries them, world.py makes them.
scenarios.py is what befalls them; record.py keeps what came of it; table.py and plot.py show it.
"""
