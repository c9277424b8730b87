"""Weights from elsewhere and our own: PyTorch's own Transformer, and the book's
pronouncer.
"""

from tfbook.pretrained.pronouncer import Pronouncer
from tfbook.pretrained.torch_transformer import load_torch_transformer
from tfbook.pretrained.weights import load_pronouncer, train_pronouncer

__all__ = [
    "Pronouncer",
    "load_pronouncer",
    "load_torch_transformer",
    "train_pronouncer",
]
