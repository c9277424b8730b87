"""Checks for lesson 2.2, self-attention."""

import torch

from tfbook.exercises.report import checked, function, share, tensor, whole
from tfbook.model.attention import scaled_dot_product_attention


@checked
def check_length_of_equal_cost(answer):
    """64, the length at which scores and mixing cost what the four projections do."""
    if whole(answer) != 64:
        return (
            "four projections cost 4 n d^2, scores and mixing n^2 d each; d is 32"
        )


@checked
def check_self_attention(answer):
    """A function from x (T, d) and three matrices (d, d) to the output (T, d) of one head."""
    attention = function(answer, "x", "w_q", "w_k", "w_v")
    x, w_q, w_k, w_v = (torch.randn(n, 6).double() for n in (5, 6, 6, 6))
    query, key, value = (
        (x @ w)[None, None] for w in (w_q, w_k, w_v)
    )  # (1, 1, 5, 6)
    wanted = scaled_dot_product_attention(query, key, value)[0][0, 0]  # (5, 6)
    scores = query @ key.transpose(-2, -1)  # (1, 1, 5, 5)
    over_queries = (scores / 6**0.5).softmax(dim=-2) @ value  # (1, 1, 5, 6)
    unscaled = scores.softmax(dim=-1) @ value  # (1, 1, 5, 6)
    result = tensor(attention(x, w_q, w_k, w_v), wanted, shape="(T, d)")
    if torch.allclose(result, over_queries[0, 0]):
        return "the softmax runs over the keys: each row of weights sums to one"
    if torch.allclose(result, unscaled[0, 0]):
        return "divide the scores by the root of the key's width"
    if not torch.allclose(result, wanted):
        return "the numbers differ: which of the three maps makes what?"


@checked
def check_other_distance(answer):
    """The share right at distance 30, of a model trained at distance 20: a guess."""
    if share(answer) > 0.5:
        return "more than we find: did you ask at distance 30 and train at 20?"
