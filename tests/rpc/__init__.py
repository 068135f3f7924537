"""The runtime: byte by byte, on a clock the test moves, and over real sockets."""
