"""Lesson: positions."""

import math

import torch

from tfbook.exercises import positions as exercises
from tfbook.model.positions import apply_rotary


def halves(x, base=10_000, sign=1, first=0, mixed=-1):
    """Turn the pairs (i, i + D/2), with the usual slips as options."""
    length, d_head = x.shape[-2:]
    position = torch.arange(first, first + length, dtype=x.dtype)
    pair = torch.arange(d_head // 2, dtype=x.dtype)
    angles = sign * position[:, None] * base ** (-2 * pair / d_head)  # (T, D/2)
    left, right = x.chunk(2, dim=-1)
    turned = (
        left * angles.cos() + mixed * right * angles.sin(),
        left * angles.sin() + right * angles.cos(),
    )
    return torch.cat(turned, dim=-1)  # (B, H, T, D)


def slip(**options):
    return lambda x: halves(x, **options)


RIGHT = {
    exercises.check_full_turn: [628, 628.3, 2 * math.pi * 100],
    exercises.check_rotate_halves: [halves],
    exercises.check_half_distances: [(5, 28), [5, 28]],
}
WRONG = [
    (exercises.check_full_turn, 100, "one radian"),
    (exercises.check_full_turn, 62.8, "i counts pairs"),
    (exercises.check_full_turn, 10_000, "when is it 2π"),
    (exercises.check_full_turn, True, "a number, got True"),
    (exercises.check_rotate_halves, apply_rotary, "turns neighbours"),
    (exercises.check_rotate_halves, slip(mixed=1), "no rotation"),
    (exercises.check_rotate_halves, slip(first=1), "position 0"),
    (exercises.check_rotate_halves, slip(sign=-1), "other angles"),
    (exercises.check_rotate_halves, slip(base=100), "other angles"),
    (exercises.check_rotate_halves, lambda x: x[..., :11], "(B, H, T, D)"),
    (exercises.check_rotate_halves, lambda x: x.tolist(), "(B, H, T, D)"),
    (exercises.check_half_distances, (28, 5), "other way round"),
    (exercises.check_half_distances, (5, 29), "for base 10,000"),
    (exercises.check_half_distances, (4, 28), "for base 100"),
    (exercises.check_half_distances, 5, "a list of 2 numbers"),
]
