"""The gateway: one request in, one answer out, through the stages of the mesh.

service            answers recmesh.v1.Recommender: checks (validate), then one of
recommend, similar, search, catalogue, feedback, status
edge               what a client may not say of itself
run                one request on its way: version, time, and what it has to do without
degradation        what that may be, in the order in which it is given up
quality            how much optional work an answer is worth at the moment
histories, vectors, candidates, ranking, items
                   one stage each: feedback, embedding, retrieval, ranking, and the catalogue's records
diversity, fresh, page, reasons
                   from the ranked candidates to the page
versions           which model bundle answers
upstreams, settings, __main__
"""
