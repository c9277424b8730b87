"""Attention: the function, its fused twin, and the layer of several heads."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from tfbook.model.checks import (
    check_attention,
    check_heads,
    check_probability,
    check_vectors,
)
from tfbook.model.dropout import dropout as drop
from tfbook.model.packing import PackedMask
from tfbook.model.positions import rotate


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    r"""$\text{Attention}(Q, K, V) = \text{softmax}(Q K^\top / \sqrt{d_k})\, V$
    (Vaswani et al. 2017, equation 1).

    query: (B, H, T, D); key and value: (B, H, S, D). mask: boolean, True = may
    attend, broadcastable to (B, H, T, S). dropout: share of the weights set to
    zero, live whenever it is above 0 (a layer passes 0 in eval). Returns the output
    (B, H, T, D) and the weights (B, H, T, S). A row that may attend to nothing is
    zero in both, and its gradients are finite. Raises TypeError for a mask or
    inputs of the wrong dtype, ValueError for shapes or devices that do not fit.
    """
    check_attention(query, key, value, mask, dropout)
    d_head = key.size(-1)
    scores = query @ key.transpose(-2, -1)  # (B, H, T, S)
    scores /= math.sqrt(d_head)
    if mask is not None:
        scores += below(mask, scores.dtype)
    weights = scores.softmax(dim=-1)  # (B, H, T, S)
    if mask is not None and any_row_is_empty(mask):  # uniform now: make it zero
        weights = weights.masked_fill(~mask, 0.0)
    weights = drop(weights, dropout)
    return weights @ value, weights  # (B, H, T, D), (B, H, T, S)


def below(mask, dtype):
    """What to add to scores: 0 where the mask is True, elsewhere so little that softmax
    gives 0. Not -inf: a row without any key shall stay finite. Shape and axes of mask.
    """
    lowest = torch.finfo(dtype).min / 2
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, lowest)


def any_row_is_empty(mask):
    """Whether a query may attend to nothing; perhaps, where a look would cost more than
    it saves, on another device or while compiling.
    """
    if mask.device.type != "cpu" or torch.compiler.is_compiling():
        return True
    return not mask.any(dim=-1).all()


def fused_attention(query, key, value, mask=None, dropout=0.0):
    """The same output, (B, H, T, D), from PyTorch's fused kernel.

    It never stores the weights (B, H, T, S), but where the kernel is the slower way:
    on a CPU with dropout, and in training in bfloat16 below a thousand keys. Equation,
    shapes and errors are those of `scaled_dot_product_attention`.
    """
    narrow = query.dtype == torch.bfloat16 and query.requires_grad
    if query.device.type == "cpu" and (dropout or (narrow and key.size(-2) < 1000)):
        return scaled_dot_product_attention(query, key, value, mask, dropout)[0]
    check_attention(query, key, value, mask, dropout)
    # the kernel wants (T, S)
    mask = None if mask is None else torch.atleast_2d(mask)
    return F.scaled_dot_product_attention(query, key, value, mask, dropout)


class MultiHeadAttention(nn.Module):
    r"""$\text{MultiHead}(Q, K, V) = \text{Concat}(\text{head}_1, \ldots,
    \text{head}_h) W^O$ (section 3.2.2), $\text{head}_i = \text{Attention}(Q W_i^Q,
    K W_i^K, V W_i^V)$; the $W_i$ of all heads lie side by side in one matrix.

    Called with query (B, T, d_model), key and value (B, S, d_model) and a boolean
    mask broadcastable to (B, H, T, S); returns the output (B, T, d_model) and the
    weights (B, H, T, S), or None unless need_weights. Without weights it takes the
    fused path. rotary: turn queries and keys by their positions. cache: a
    `KeyValueCache`; in self-attention the new keys and values are appended to it
    and the queries see them all; with static=True, for a memory that does not
    change, they are computed once and used again, whatever key and value are then.
    With a `PackedMask`, queries and output are packed, (1, N, d_model), keys and values
    (1, M, d_model). Raises ValueError or TypeError naming the argument.
    """

    def __init__(self, d_model, n_heads, dropout=0.0, *, rotary=False):
        super().__init__()
        check_heads(d_model, n_heads, rotary)
        check_probability("dropout", dropout)
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        self.dropout, self.rotary = dropout, rotary
        self.query_projection = nn.Linear(d_model, d_model)
        self.key_projection = nn.Linear(d_model, d_model)
        self.value_projection = nn.Linear(d_model, d_model)
        self.output_projection = nn.Linear(d_model, d_model)

    def forward(
        self,
        query,
        key,
        value,
        mask=None,
        need_weights=False,
        *,
        cache=None,
        static=False,
    ):
        check_vectors("query", query, self.query_projection.weight)
        if key is not query or value is not query:
            check_vectors("key", key, self.query_projection.weight)
            check_vectors("value", value, self.query_projection.weight)
        if not isinstance(mask, PackedMask):
            mask = PackedMask(mask)
        mask, queries, keys = mask
        # (B, H, T, D)
        query = self._split(queries.unpack(self.query_projection(query)))
        # (B, H, S, D) each
        key, value = self._keys_and_values(key, value, cache, static, keys)
        if self.rotary:
            past = 0 if cache is None else key.size(-2) - query.size(-2)
            query = rotate(query, past)
        inputs = query, key, value, mask, self.dropout if self.training else 0.0
        if need_weights:
            output, weights = scaled_dot_product_attention(*inputs)
        else:
            output, weights = fused_attention(*inputs), None
        output = output.transpose(1, 2).flatten(2)  # (B, T, d_model)
        # (B, T, d_model), or (1, N, d_model) where queries are packed
        return self.output_projection(queries.pack(output)), weights

    def _split(self, x):
        heads = x.unflatten(-1, (self.n_heads, self.d_head))  # (B, T, H, D)
        return heads.transpose(1, 2)  # (B, H, T, D)

    def _keys_and_values(self, key, value, cache, static, packing):
        if static and cache is not None and self in cache.memory:
            return cache.memory[self]
        past = cache[self][0].size(-2) if cache is not None and self in cache else 0
        # (B, H, S, D) each
        key = self._split(packing.unpack(self.key_projection(key)))
        value = self._split(packing.unpack(self.value_projection(value)))
        if self.rotary:
            key = rotate(key, past)
        if static and cache is not None:
            return cache.memory.setdefault(self, (key, value))
        return (key, value) if cache is None else cache.append(self, key, value)
