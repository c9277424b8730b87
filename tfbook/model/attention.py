"""Attention: the function of the paper's equation 1, and the layer of several heads."""

import math

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, finfo, nn

from tfbook.model.checks import (
    check_attention,
    check_heads,
    check_probability,
    check_vectors,
)
from tfbook.model.positions import apply_rotary


def scaled_dot_product_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "B H T D_value"], Float[Tensor, "B H T S"]]:
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
    # divided first: in 16 bits the product of two long vectors could overflow
    query = query / math.sqrt(query.size(-1))
    scores = query @ key.transpose(-2, -1)  # (B, H, T, S)
    if mask is not None:
        # not -inf: a row without any key would become NaN, and so would its gradient
        scores = scores.masked_fill(~mask, finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)  # (B, H, T, S)
    if mask is not None:  # a row without any key is zero, not uniform
        weights = weights.masked_fill(~mask, 0.0)
    weights = F.dropout(weights, dropout)
    return weights @ value, weights  # (B, H, T, D), (B, H, T, S)


class MultiHeadAttention(nn.Module):
    r"""$\text{MultiHead}(Q, K, V) = \text{Concat}(\text{head}_1, \ldots,
    \text{head}_h) W^O$ (section 3.2.2), $\text{head}_i = \text{Attention}(Q W_i^Q,
    K W_i^K, V W_i^V)$; the $W_i$ of all heads lie side by side in one matrix.

    Called with query (B, T, d_model), key and value (B, S, d_model) and a boolean
    mask broadcastable to (B, H, T, S); returns the output (B, T, d_model) and the
    weights (B, H, T, S), or None unless need_weights. rotary: rotate queries and
    keys by their positions. cache: this attention's part of a `LayerCache`; with
    it, key and value are of the new positions alone. `inner_attention` is the part
    that another kernel can replace. Raises ValueError or TypeError naming the
    argument.
    """

    inner_attention = staticmethod(scaled_dot_product_attention)

    def __init__(self, d_model, n_heads, dropout=0.0, rotary=False):
        super().__init__()
        check_heads(d_model, n_heads, rotary)
        check_probability("dropout", dropout)
        self.d_model, self.n_heads = d_model, n_heads
        self.d_head = d_model // n_heads
        self.dropout, self.rotary = dropout, rotary
        self.query_projection = nn.Linear(d_model, d_model)
        self.key_projection = nn.Linear(d_model, d_model)
        self.value_projection = nn.Linear(d_model, d_model)
        self.output_projection = nn.Linear(d_model, d_model)

    def forward(
        self,
        query: Float[Tensor, "B T d_model"],
        key: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        need_weights: bool = False,
        *,
        cache=None,
    ) -> tuple[Float[Tensor, "B T d_model"], Float[Tensor, "B H T all"] | None]:
        check_vectors(self, self.d_model, query=query, key=key, value=value)
        query = self.split_heads(self.query_projection(query))  # (B, H, T, D)
        if cache is None:
            key, value = self.keys_and_values(key, value)  # (B, H, S, D) each
        else:
            key, value = cache.update(self, key, value)  # (B, H, past + S, D) each
        if self.rotary:
            past = 0 if cache is None else key.size(-2) - query.size(-2)
            query = apply_rotary(query, past)
        dropout = self.dropout if self.training else 0.0
        output, weights = self.inner_attention(query, key, value, mask, dropout)
        output = output.transpose(1, 2).flatten(2)  # (B, T, d_model)
        return self.output_projection(output), weights if need_weights else None

    def keys_and_values(
        self,
        key: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
        past: int = 0,
    ) -> tuple[Float[Tensor, "B H S D"], Float[Tensor, "B H S D"]]:
        """The keys and values of all heads, (B, H, S, D) each; the first stands at
        position `past`.
        """
        key = self.split_heads(self.key_projection(key))  # (B, H, S, D)
        value = self.split_heads(self.value_projection(value))  # (B, H, S, D)
        return apply_rotary(key, past) if self.rotary else key, value

    def split_heads(
        self, x: Float[Tensor, "B T d_model"]
    ) -> Float[Tensor, "B H T D"]:
        """(B, T, d_model) to (B, H, T, D): each head takes its slice of the width."""
        x = x.unflatten(-1, (self.n_heads, self.d_head))  # (B, T, H, D)
        return x.transpose(1, 2)  # (B, H, T, D)
