"""Checks of what only the variants take: each error names the argument and both values."""

import math

from tfbook.model.checks import check_count, check_number


def check_base(name, value):
    """Raise unless value is a positive, finite number."""
    check_number(name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value}")


def check_key_heads(n_heads, n_key_heads, d_attention):
    """Raise unless n_key_heads divides n_heads and n_heads divides d_attention; None counts
    as what fits.
    """
    if n_key_heads is not None:
        check_count("n_key_heads", n_key_heads)
        if n_heads % n_key_heads:
            raise ValueError(
                f"n_key_heads must divide n_heads={n_heads}, got {n_key_heads}"
            )
    if d_attention is not None:
        check_count("d_attention", d_attention)
        if d_attention % n_heads:
            raise ValueError(
                f"d_attention must be divisible by n_heads={n_heads}, got {d_attention}"
            )
