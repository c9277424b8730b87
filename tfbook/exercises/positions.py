"""Checks for lesson 3.4, positions."""

import math

import torch

from tfbook.exercises.report import checked, function, number, numbers, tensor
from tfbook.model.positions import apply_rotary


@checked
def check_full_turn(answer):
    """The number of positions after which pair 16 of d_model=64 has turned once."""
    answer = number(answer)
    turn = 2 * math.pi * 10_000 ** (2 * 16 / 64)
    if abs(answer - turn / (2 * math.pi)) < 1:
        return "that is one radian; a full turn is 2π of them"
    if abs(answer - 2 * math.pi * 10_000 ** (16 / 64)) < 1:
        return "the exponent is 2i / d_model, and i counts pairs"
    if abs(answer - turn) > 2:
        return (
            "an angle grows by 1 / 10000^(2i / d_model) a position; when is it 2π?"
        )


def _halves(x):
    """The pairs (i, i + D/2) turned, by way of neighbours."""
    neighbours = torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)  # (B, H, T, D)
    return torch.cat(
        (apply_rotary(neighbours)[..., 0::2], apply_rotary(neighbours)[..., 1::2]),
        dim=-1,
    )


@checked
def check_rotate_halves(answer):
    """A function of x (B, H, T, D) that turns the pairs (x[i], x[i + D/2])."""
    rotate_halves = function(answer, "x")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 7, 22, generator=generator, dtype=torch.float64)
    turned = tensor(rotate_halves(x.clone()), x, shape="(B, H, T, D)")
    if torch.allclose(turned, apply_rotary(x)):
        return "that turns neighbours, as the library does; i goes with i + D/2"
    if not torch.allclose(turned.norm(dim=-1), x.norm(dim=-1)):
        return "the norms changed, so this is no rotation: look at the signs"
    if not torch.allclose(turned[:, :, 0], x[:, :, 0]):
        return "position 0 should not be turned"
    if not torch.allclose(turned, _halves(x)):
        return "a rotation, but by other angles: mind the frequencies and the sign"


@checked
def check_half_distances(answer):
    """The distances at which the product falls below half, for base 100 and 10,000."""
    answer = numbers(answer, "the distance for base 100", "that for base 10,000")
    wanted = list(_half_distance(base) for base in (100, 10_000))
    if answer == wanted[::-1]:
        return "the other way round: base 100 first"
    for base, distance, right in zip((100, 10_000), answer, wanted, strict=True):
        if distance != right:
            return f"not the first distance below half for base {base:,}"


def _half_distance(base, d_model=64):
    for distance in range(1000):
        angles = [
            distance * base ** (-2 * i / d_model) for i in range(d_model // 2)
        ]
        if sum(map(math.cos, angles)) < d_model / 4:
            return distance
