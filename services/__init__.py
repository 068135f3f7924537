"""The services behind the gateway, each a process: `python -m services.<name> --config F`."""
