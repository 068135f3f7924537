"""What a call meets between its caller and a handler: one policy a file, no I/O.

failure            what an error says of the endpoint, and of trying again
timeout, retry, budget
                   how long a call may take, when it is made once more, and how often in all
hedge              a second copy of a call that is slow
breaker, throttle  how much one service may hold of its caller, and be asked by it
scatter            one question to every shard
balancer, affinity, zone, subset, latency, rendezvous
                   which endpoint an attempt goes to, by what it costs, by a key, or by where it is
replica, ejection, endpoints
                   an endpoint as its caller sees it, when it is left out, and all of a service as they come and go
resolver, known, target, dns, kubernetes, endpoint_file
                   which endpoints there are, and for how long a source of them is believed
window, percentile how many there were of late, and how long most of them took
limit, gradient, queue
                   how many calls a process takes at once, how that is found, and who may wait for a place
criticality, lag, quota
                   who is refused first, whether a process is behind, and how much one caller may ask
metrics, access_log, log, trace
                   what is seen of it from outside
backend, door      the order in which these stand: on the way out, on the way in
"""
