"""Rotary positions of any base, and how to stretch them over longer texts than trained on."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tfbook.model.checks import check_count
from tfbook.variants.checks import check_base


@dataclass(frozen=True)
class Rotary:
    r"""Rotate each pair $(x_{2i}, x_{2i+1})$ at position $p$ by $p\, f_i$, where
    $f_i = base^{-2i/D}$.

    Source: Su et al. 2021, RoFormer, equation 34. stretch: a function of the frequencies
    $f$ (D/2,) that returns those to use instead, such as `interpolated`. Called with x
    (B, H, T, D), whose first position is `past`; returns the same shape. Raises ValueError
    or TypeError naming d_head or base.
    """

    d_head: int
    base: float = 10_000.0
    stretch: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self):
        check_count("d_head", self.d_head)
        if self.d_head % 2:
            raise ValueError(
                f"d_head must be even to be rotated in pairs, got {self.d_head}"
            )
        check_base("base", self.base)
        self.angles(
            1, 0, like=torch.empty(0)
        )  # what stretch refuses, it refuses now

    def __call__(
        self, x: Float[Tensor, "B H T D"], past: int = 0
    ) -> Float[Tensor, "B H T D"]:
        angles = self.angles(x.size(-2), past, like=x)  # (T, D/2)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        even, odd = x[..., 0::2], x[..., 1::2]  # (B, H, T, D/2)
        # (B, H, T, D/2, 2)
        turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
        return turned.flatten(-2)  # (B, H, T, D)

    def angles(self, length: int, past: int, like: Tensor) -> Float[Tensor, "T D"]:
        """The angles (T, D/2) of the positions past … past + length - 1, in 64 bits where
        `like` has them, else in 32.
        """
        wide = torch.promote_types(like.dtype, torch.float32)
        positions = torch.arange(
            past, past + length, device=like.device, dtype=wide
        )
        frequencies = rotary_frequencies(self.d_head, self.base, like=positions)
        if self.stretch is not None:
            frequencies = self.stretch(frequencies)  # (D/2,)
        return positions[:, None] * frequencies  # (T, D/2)


def rotary_frequencies(
    d_head: int, base: float = 10_000.0, *, like: Tensor
) -> Float[Tensor, " pairs"]:
    r"""$f_i = base^{-2i/D}$, in radians a position: (D/2,), with the dtype and device of
    `like`.
    """
    pair = torch.arange(d_head // 2, device=like.device, dtype=like.dtype)
    return 1.0 / base ** (2 * pair / d_head)  # (D/2,)


def interpolated(
    frequencies: Float[Tensor, " pairs"], factor: float
) -> Float[Tensor, " pairs"]:
    r"""Position interpolation, $f_i / factor$: position p of a long text turns as p / factor
    did in training (Chen et al. 2023, equation 4). (D/2,) to (D/2,). Raises ValueError
    unless factor is positive.
    """
    check_base("factor", factor)
    return frequencies / factor


def ntk_base(base: float, factor: float, d_head: int) -> float:
    r"""The base $b \cdot factor^{D/(D-2)}$, with which the slowest pair turns as if it were
    interpolated by `factor`, and the fastest as before (bloc97 2023, "NTK-aware"; Peng et
    al. 2024, YaRN, section 3.1).

    With $factor = s L / L_0 - (s - 1)$ for a text of L positions it is the "dynamic" scaling
    of `transformers`. Raises ValueError unless base and factor are positive and d_head is
    above 2.
    """
    check_base("base", base)
    check_base("factor", factor)
    check_count("d_head", d_head, least=3)
    return base * factor ** (d_head / (d_head - 2))


def interpolated_by_wavelength(
    frequencies: Float[Tensor, " pairs"],
    factor: float,
    low_freq_factor: float,
    high_freq_factor: float,
    original_length: float,
) -> Float[Tensor, " pairs"]:
    r"""Llama 3.1's scaling: pairs that turn more than high_freq_factor times within the
    original_length stay as they are, those that turn less than low_freq_factor times are
    interpolated by `factor`, and those between are mixed in proportion (Llama Team 2024,
    section 3.4.2, and Meta's code). (D/2,) to (D/2,). Raises ValueError unless all are
    positive and low_freq_factor is below high_freq_factor.
    """
    check_base("factor", factor)
    check_base("low_freq_factor", low_freq_factor)
    check_base("original_length", original_length)
    if not low_freq_factor < high_freq_factor:
        raise ValueError(
            f"low_freq_factor must be below high_freq_factor={high_freq_factor}, "
            f"got {low_freq_factor}"
        )
    turns = original_length / (2 * math.pi / frequencies)  # (D/2,)
    kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)
    kept = kept.clamp(0, 1)  # (D/2,)
    return (1 - kept) * frequencies / factor + kept * frequencies
