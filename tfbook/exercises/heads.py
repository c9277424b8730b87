"""Checks for lesson 2.3, many heads."""

import torch
import torch.nn.functional as F

from tfbook.data.recorded import recorded
from tfbook.exercises.report import checked, function, outside, share, tensor


@checked
def check_best_with_one_mean(answer):
    """The best share of questions about two of six digits, from their plain mean."""
    answer = share(answer)
    pairs = [(first, second) for first in range(6) for second in range(6)]
    means = {frozenset(pair) for pair in pairs}  # no order, and each digit half
    if abs(answer - len(means) / len(pairs)) > 0.005:
        return (
            "count the pairs, then the different means: (a, b) and (b, a) share one"
        )


@checked
def check_grouped_query_attention(answer):
    """A function from query (B, H, T, D), key and value (B, G, S, D) to (B, H, T, D)."""
    attention = function(answer, "query", "key", "value")
    for n_heads, n_groups in ((6, 3), (6, 2), (5, 5), (5, 1)):
        query = torch.randn(2, n_heads, 7, 10)  # (B, H, T, D)
        key, value = torch.randn(2, 2, n_groups, 11, 10)  # (B, G, S, D) each
        wanted = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
        output = tensor(attention(query, key, value), wanted, shape="(B, H, T, D)")
        if not torch.allclose(output, wanted, atol=1e-5):
            if n_groups not in (1, n_heads):
                return (
                    "do neighbouring heads share their keys, and are scores scaled?"
                )
            return f"wrong with {n_heads} heads and {n_groups} groups"


@checked
def check_without_order(answer):
    """The share that one head gets right when the order of the digits is not asked."""
    answer = share(answer)
    found = recorded("2-concepts/exercises_2.json")["check_without_order"]
    if outside(answer, found, 0.02):
        return "too few: do both the training and the score sort the answers?"
