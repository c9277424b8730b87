"""Lesson: article example."""

import torch

from tfbook.exercises import article_example as exercises

ARTICLE = 7 * 12 + 12 + 12 * 12 + 12


def split(x, n_heads):
    batch, length, d_model = x.shape
    return x.view(batch, length, n_heads, d_model // n_heads).permute(
        0, 2, 1, 3
    )  # (B, H, T, D)


def split_by_loop(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)  # (B, H, T, D)


RIGHT = {
    exercises.check_article_parameters: [ARTICLE],
    exercises.check_split_heads: [split, split_by_loop],
    exercises.check_reach: [5],
}
WRONG = [
    (exercises.check_article_parameters, ARTICLE - 24, "and biases"),
    (exercises.check_article_parameters, 7 * 12, "every input of every output"),
    (exercises.check_article_parameters, "many", "a number, got 'many'"),
    (
        exercises.check_split_heads,
        lambda x, n: x,
        "(B, H, T, d_head) = (2, 5, 3, 7)",
    ),
    (
        exercises.check_split_heads,
        lambda x, n: split(x, n).tolist(),
        "(B, H, T, d_head)",
    ),
    (
        exercises.check_split_heads,
        lambda x, n: x.view(split(x, n).shape),
        "head 0 does not hold",
    ),
    (
        exercises.check_split_heads,
        lambda x, n: split(x, n).flip(1),
        "head 0 does not hold",
    ),
    (exercises.check_split_heads, lambda x: x, "a function of"),
    (exercises.check_split_heads, 3, "a function of"),
    (exercises.check_reach, 4, "one layer reaches 2"),
    (exercises.check_reach, 10, "position 9"),
]
