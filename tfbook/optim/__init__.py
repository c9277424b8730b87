"""Optimisers and schedules of the learning rate, written out."""

from tfbook.optim.optimizers import SGD, Adam, AdamW, Muon, RMSprop
from tfbook.optim.schedules import (
    constant,
    cosine,
    inverse_root,
    linear,
    stairs,
    with_warmup,
)

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Muon",
    "RMSprop",
    "constant",
    "cosine",
    "inverse_root",
    "linear",
    "stairs",
    "with_warmup",
]
