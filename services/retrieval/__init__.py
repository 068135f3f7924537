"""The retrieval service: one shard of the catalogue, with the items that were put or deleted since its bundle was made.

records     items as they cross the wire
changes     the durable log of puts and deletions
catalogue   that log and the loaded versions of the shard, kept in step
catchup     what this replica missed, from its peers
service     answers recmesh.v1.Retrieval
"""
