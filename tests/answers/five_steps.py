"""Lesson: attention in five steps."""

import math

import torch
import torch.nn.functional as F

from tfbook.exercises import five_steps as exercises


def attention(query, key, value, *, over=-1, root=0.5, keep_scores=False):
    """Attention, with the usual slips as options."""
    scores = query @ key.T / query.size(-1) ** root  # (T, S)
    weights = scores if keep_scores else scores.softmax(over)
    return weights @ value  # (T, E)


def slip(**options):
    return lambda *given: attention(*given, **options)


RIGHT = {
    exercises.check_weights: [
        [1 / 8, 3 / 8, 4 / 8],
        (0.12, 0.38, 0.5),
        torch.tensor([0, math.log(3), math.log(4)]).softmax(-1),
    ],
    exercises.check_attention: [attention, F.scaled_dot_product_attention],
    exercises.check_sharpness: [math.log(100) / 2**0.5, 3.26],
}
WRONG = [
    (exercises.check_weights, [1 / 26, 9 / 26, 16 / 26], "root of d_k"),
    (exercises.check_weights, [1, 3, 4], "sum to one"),
    (exercises.check_weights, [0, 0.44, 0.56], "what is e"),
    (exercises.check_weights, [0.5, 0.5], "a list of 3 numbers"),
    (exercises.check_weights, "cat", "a list of 3 numbers"),
    (exercises.check_attention, slip(over=0), "over the queries"),
    (exercises.check_attention, slip(root=0), "not divided"),
    (exercises.check_attention, slip(root=1), "not by d_k"),
    (exercises.check_attention, slip(keep_scores=True), "without a softmax"),
    (
        exercises.check_attention,
        lambda query, key, value: attention(query, key, value) + 1,
        "the numbers differ",
    ),
    (
        exercises.check_attention,
        lambda query, key, value: attention(query, key, key),
        "(T, E) = (3, 2)",
    ),
    (exercises.check_attention, lambda *given: None, "(T, E) = (3, 2)"),
    (exercises.check_sharpness, 1, "the cat gets 76.8%"),
    (exercises.check_sharpness, 5.0, "the cat gets 99.9%"),
    (exercises.check_sharpness, -1.0, "a number from 0"),
    (exercises.check_sharpness, "99 %", "a number, got '99 %'"),
]
