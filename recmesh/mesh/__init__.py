"""What a call meets between its caller and a handler: one policy a file, no I/O.

failure            what an error says of the endpoint, and of trying again
timeout, retry     how long a call may take, and when it is made once more
balancer, resolver which endpoint an attempt goes to, and which there are
scatter            one question to every shard
limit, gradient, queue
                   how many calls a process takes at once, how that is found, and who may wait for a place
criticality, lag   who is refused first, and whether a process is behind
metrics, access_log, trace
                   what is seen of it from outside
backend, door      the order in which these stand: on the way out, on the way in
"""
