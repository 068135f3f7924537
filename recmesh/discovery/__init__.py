"""Where endpoints are found: the questions behind the resolvers of `recmesh.mesh`. Needs Twisted.

sources        resolvers for what an operator wrote
names          DNS
file           a file that is watched
api_server     Kubernetes
"""
