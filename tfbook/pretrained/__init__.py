"""Other people's weights in the book's layers."""

from tfbook.pretrained.llama import load_llama, load_llama_folder
from tfbook.pretrained.torch_transformer import load_torch_transformer

__all__ = ["load_llama", "load_llama_folder", "load_torch_transformer"]
