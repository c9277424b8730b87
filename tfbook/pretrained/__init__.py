"""Other people's weights in the book's layers."""

from tfbook.pretrained.torch_transformer import load_torch_transformer

__all__ = ["load_torch_transformer"]
