"""The protocol of one connection, without any I/O: bytes become events, intentions become bytes.

base                          what both ends share: HELLO, PING, GOAWAY
client, server                the end that opens calls, and the end that answers them
events                        what a session makes of bytes
flow                          the sending side: credit, and whose turn it is
receiver, intake              the receiving side: credit given, messages that come in pieces
memory                        what all connections of a process hold together
headers                       a call's context and outcome as metadata
"""
