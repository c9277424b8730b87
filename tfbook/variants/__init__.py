"""What has changed since 2017: the layer of today, and attention made cheaper.

To read it from the start: config, layers, rotary, grouped and block, which puts them together;
then what takes the place of attention, window, linear and state_space (with state), and what
stands beside them: experts, mup, and tiled, which is FlashAttention.
"""

from tfbook.variants.block import LanguageModel, modernise
from tfbook.variants.config import BlockConfig
from tfbook.variants.grouped import GroupedQueryAttention
from tfbook.variants.layers import RMSNorm, SwiGLU
from tfbook.variants.linear import linear_attention
from tfbook.variants.rotary import Rotary
from tfbook.variants.window import local_attention, window_mask

__all__ = [
    "BlockConfig",
    "GroupedQueryAttention",
    "LanguageModel",
    "RMSNorm",
    "Rotary",
    "SwiGLU",
    "linear_attention",
    "local_attention",
    "modernise",
    "window_mask",
]
