"""Positions: how attention, which sees a set, learns the order of its elements."""

import torch
from jaxtyping import Float
from torch import Tensor

BASE = 10_000.0


def _angles(length, n_pairs, width, past, like):
    """Position times frequency, $p / 10000^{2i/width}$: (T, n_pairs)."""
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    position = torch.arange(past, past + length, device=like.device, dtype=dtype)
    pair = torch.arange(n_pairs, device=like.device, dtype=dtype)
    return position[:, None] / BASE ** (2 * pair / width)  # (T, n_pairs)


def sinusoidal_positions(
    length: int, d_model: int, past: int = 0, *, like: Tensor
) -> Float[Tensor, "T d_model"]:
    r"""$PE_{p,2i} = \sin(p / 10000^{2i/d_\text{model}})$, $PE_{p,2i+1}$ its cosine.

    Source: Vaswani et al. 2017, section 3.5. Positions past … past + length - 1.
    `like` is a tensor whose dtype and device the result takes. Returns (T,
    d_model); with an odd d_model the last sine has no cosine. Computed afresh at
    each call: a table would have to be as long as the longest sequence, and would
    lose its precision when a model is cast.
    """
    angles = _angles(length, (d_model + 1) // 2, d_model, past, like)
    pairs = torch.stack((angles.sin(), angles.cos()), dim=-1)  # (T, n_pairs, 2)
    return pairs.flatten(1)[:, :d_model].to(like.dtype)  # (T, d_model)


def apply_rotary(
    x: Float[Tensor, "B H T D"], past: int = 0
) -> Float[Tensor, "B H T D"]:
    r"""Rotate each pair $(x_{2i}, x_{2i+1})$ at position $p$ by $p / 10000^{2i/D}$.

    Source: Su et al. 2021, RoFormer, equation 34. Queries and keys are rotated,
    values are not; the product of a rotated query and a rotated key depends on their
    distance alone. x: (B, H, T, D), D even; the first of the T stands at position
    `past`. Returns the same shape and dtype. Raises ValueError when D is odd.
    """
    length, d_head = x.shape[-2:]
    if d_head % 2:
        raise ValueError(
            f"x must have an even last dimension to be rotated in pairs, got shape {tuple(x.shape)}"
        )
    angles = _angles(length, d_head // 2, d_head, past, x)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)  # (T, D/2)
    even, odd = x[..., 0::2], x[..., 1::2]  # (B, H, T, D/2)
    # (B, H, T, D/2, 2)
    rotated = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return rotated.flatten(-2)  # (B, H, T, D)
