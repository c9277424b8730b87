"""Lesson: the backward pass."""

import torch

from tfbook.exercises import backward as exercises


def by_hand(query, key, value, mask, d_output, *, scaled=True, average=True):
    d_head = key.size(-1)
    scores = query @ key.mT / d_head**0.5  # (B, H, T, S)
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
    d_weights = d_output @ value.mT  # (B, H, T, S)
    if average:
        d_weights = d_weights - (weights * d_weights).sum(-1, keepdim=True)
    d_scores = weights * d_weights / (d_head**0.5 if scaled else 1)
    return (
        d_scores @ key,
        d_scores.mT @ query,
        weights.mT @ d_output,
    )  # (B, H, T, D)


RIGHT = {
    exercises.check_even_softmax: [(3 / 16, -1 / 16), [0.1875, -0.0625]],
    exercises.check_masked_backward: [by_hand],
    exercises.check_value_bias: [True],
}
WRONG = [
    (exercises.check_even_softmax, 3 / 16, "a list of 2 numbers"),
    (exercises.check_even_softmax, (1 / 4, -1 / 16), "p (1 - p)"),
    (exercises.check_even_softmax, (3 / 16, 1 / 16), "mind the sign"),
    (
        exercises.check_masked_backward,
        lambda *given: by_hand(*given, scaled=False),
        "lacks the scale",
    ),
    (
        exercises.check_masked_backward,
        lambda *given: by_hand(*given, average=False),
        "d_query differs from",
    ),
    (
        exercises.check_masked_backward,
        lambda q, k, v, mask, d: by_hand(q, k, v, mask | True, d),
        "differs from PyTorch's",
    ),
    (
        exercises.check_masked_backward,
        lambda *given: by_hand(*given)[0],
        "return three tensors",
    ),
    (
        exercises.check_masked_backward,
        lambda *given: by_hand(*given)[::-1],
        "d_query should be a tensor of shape",
    ),
    (exercises.check_value_bias, False, "average of v + 1"),
    (exercises.check_value_bias, 1.0, "True or False"),
]
