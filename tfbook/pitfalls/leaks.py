"""Leaks: one axis taken for another, so that a position sees what it must not see."""

import torch

from tfbook.model.attention import MultiHeadAttention
from tfbook.pitfalls.patching import (
    attending,
    homemade_attention,
    normalising,
    patched,
    pitfall,
)


@pitfall(8)
def norm_over_time():
    """Add & Norm takes mean and variance over the positions instead of the features.

    Looks innocent: `x.mean(1)` for `x.mean(-1)`; `nn.BatchNorm1d` for `nn.LayerNorm`.
    Symptom: teacher-forced scores are excellent, since each position carries statistics of the
    future; decoded text is nonsense.
    Caught by: `no_leak_from_the_future`.
    """

    def over_time(x, eps):
        # (B, 1, d_model)
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        return (x - mean) / (variance + eps).sqrt()  # (B, T, d_model)

    return normalising(over_time)


@pitfall(9)
def batch_and_time_swapped():
    """Attention runs across the batch: each position attends to the same position of other rows.

    Looks innocent: `nn.MultiheadAttention(d_model, n_heads)(x, x, x)`, without batch_first=True.
    Symptom: it trains, as a feed-forward network would. A mask reveals it with a ValueError,
    unless B = T; with images and sound, which have no mask, nothing is raised.
    Caught by: `rows_are_independent`.
    """
    forward = MultiHeadAttention.forward

    def time_first(self, query, key, value, *arguments, **keywords):
        swapped = (
            x.transpose(0, 1) for x in (query, key, value)
        )  # (T, B, d_model)
        output, weights = forward(self, *swapped, *arguments, **keywords)
        return output.transpose(0, 1), weights  # (B, T, d_model), (T, H, B, B)

    return patched(MultiHeadAttention, "forward", time_first)


@pitfall(10)
def softmax_over_queries():
    """The softmax runs over the queries: columns sum to one, and rows do not.

    Looks innocent: `scores.softmax(-2)`; or `F.softmax(scores)`, which in old PyTorch chose dim 0.
    Symptom: teacher-forced scores are excellent, since later queries are in each denominator;
    decoded text is nonsense.
    Caught by: `weights_are_shares`.
    """
    return attending(homemade_attention(fill=-1e9, over=-2))
