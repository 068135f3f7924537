"""Calls over one connection: a session between a socket's bytes and the futures of callers and handlers.

line, sniff                   what a socket's bytes become: a connection at once, after a TLS handshake, or never
base                          handshake, keepalive, deadlines: what both ends share
client                        the end that calls
server, answers, running      the end that answers; its handlers; one of them at work
inbox                         the messages of a stream until they are read
outlet                        when bytes leave
idle, seldom                  who is idle; what is logged of a hostile peer
"""
