"""The whole Transformer, implemented once, for the book "The Executable
Transformer".

Axis legend, for every shape comment in this package: B batch T target length S
source length H heads D head width V vocabulary C channels of a picture F frequencies
of a sound and the widths d_model, d_head = D, d_ff. Batch comes first; masks are
boolean, True = may attend.
"""

from tfbook.decoding import (
    beam_search,
    beam_search_nbest,
    greedy_decode,
    sample,
    speculative_decode,
)
from tfbook.model.attention import MultiHeadAttention, scaled_dot_product_attention
from tfbook.model.cache import KeyValueCache
from tfbook.model.config import TransformerConfig
from tfbook.model.masks import causal_mask, padding_mask
from tfbook.model.transformer import Decoder, Encoder, Transformer
from tfbook.rivals.recurrent import LSTM, RNN

__all__ = [
    "LSTM",
    "RNN",
    "Decoder",
    "Encoder",
    "KeyValueCache",
    "MultiHeadAttention",
    "Transformer",
    "TransformerConfig",
    "beam_search",
    "beam_search_nbest",
    "causal_mask",
    "greedy_decode",
    "padding_mask",
    "sample",
    "scaled_dot_product_attention",
    "speculative_decode",
]
