"""Weights from elsewhere and our own: PyTorch's own Transformer, and the book's
pronouncer.
"""

from tfbook.pretrained.pronouncer import (
    Pronouncer,
    load_pronouncer,
    train_pronouncer,
)
from tfbook.pretrained.torch_transformer import load_torch_transformer

__all__ = [
    "Pronouncer",
    "load_pronouncer",
    "load_torch_transformer",
    "train_pronouncer",
]
