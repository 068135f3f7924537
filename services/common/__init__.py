"""What all services are made of: loaded bundle versions, checked input, worker threads, durable state, the start.

versions, models   which bundles a process has loaded, and the Models service that tells and changes it
checks, columns    limits on what callers send; numbers from bytes and back
workers            threads for work that would hold up the reactor
sqlite, state      a store with group commit, in a folder that one process owns
trouble            what does not work for a while, as two lines of the log
start              from settings to what a process serves
"""
