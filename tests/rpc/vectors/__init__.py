"""Golden vectors of the wire: what an end receives and is told to do, and what it must make of that.

One JSON file a topic, a list of vectors in each. `python -m tests.rpc.vectors` writes them anew from the scripts in
`scripts`; docs/protocol.md, "Vectors", explains the format to those who replay them in another language.
"""
