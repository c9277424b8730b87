"""Lesson: recurrent or attention."""

import math

import torch

from tfbook.exercises import recurrent_or_attention as exercises


def paired(b, c, n):
    mean = (c - b) / n
    return mean, math.sqrt(((b + c) / n - mean**2) / n)


def by_pytorch(b, c, n):
    each = torch.tensor([-1.0] * b + [1.0] * c + [0.0] * (n - b - c))
    return each.mean(), each.std() / n**0.5


def other_way_round(b, c, n):
    return paired(c, b, n)


def of_one_word(b, c, n):
    mean, error = paired(b, c, n)
    return mean, error * math.sqrt(n)


def without_the_mean(b, c, n):
    return (c - b) / n, math.sqrt(b + c) / n


RIGHT = {
    exercises.check_kept_numbers: [(512_000, 672), [512_000, 672]],
    exercises.check_paired_error: [paired, by_pytorch],
    exercises.check_three_layers: [140],
}
WRONG = [
    (exercises.check_kept_numbers, 512_000, "a list of 2 numbers"),
    (exercises.check_kept_numbers, (256_000, 672), "a key and a value"),
    (exercises.check_kept_numbers, (512_000, 336), "a hidden state and a cell"),
    (exercises.check_kept_numbers, (512_000, 672_000), "however long it runs"),
    (exercises.check_kept_numbers, (1, 672), "each symbol"),
    (exercises.check_paired_error, other_way_round, "the sign"),
    (exercises.check_paired_error, of_one_word, "varies less"),
    (exercises.check_paired_error, without_the_mean, "the error is"),
    (exercises.check_paired_error, lambda b, c, n: (b - c, n), "difference is"),
    (exercises.check_paired_error, lambda b, c, n: b - c, "a list of 2 numbers"),
    (exercises.check_three_layers, 168, "are wanted"),
    (exercises.check_three_layers, 138, "908,316 weights"),
    (exercises.check_three_layers, 139, "even"),
    (exercises.check_three_layers, 140.5, "a whole number"),
]
