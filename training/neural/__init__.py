"""Learns the sequence model, which `models.sasrec` serves.

batches   users' sequences cut into windows, those of about one length together
network   the network on torch, and what its training lowers
fit       the training of one network, until it tells held-out events no better
chain     the networks of a fit's slices of time, each going on from the one before

`network` and `fit` import torch, which the extra `neural` brings; `chain` imports them where a network is asked for.
"""
