"""Positions against their formulas, written again in another way."""

import math

import pytest
import torch
from subjects import B, D, H, S, T, noise

from tfbook import Transformer, TransformerConfig
from tfbook.model.positions import apply_rotary, sinusoidal_positions

LIKE = torch.empty(0, dtype=torch.float64)


@pytest.mark.parametrize("width", [2, 6, 7, 23])
@pytest.mark.parametrize("past", [0, 11])
def test_sinusoidal_is_the_formula_of_the_paper(width, past):
    table = sinusoidal_positions(T, width, past, like=LIKE)
    assert table.shape == (T, width)
    for t in range(T):
        for i in range(width):
            angle = (past + t) / 10_000 ** (2 * (i // 2) / width)
            wanted = math.cos(angle) if i % 2 else math.sin(angle)
            assert table[t, i].item() == pytest.approx(wanted, abs=1e-12)


def test_sinusoidal_takes_dtype_and_keeps_float32_precision_before_rounding():
    for dtype in (torch.float32, torch.bfloat16):
        table = sinusoidal_positions(509, 6, like=torch.empty(0, dtype=dtype))
        exact = sinusoidal_positions(509, 6, like=LIKE)
        assert table.dtype == dtype
        # float32 rounds an angle of up to 508 by 3e-5; bfloat16 then rounds the sine, by 4e-3
        assert (table - exact).abs().max() < 5e-5 + torch.finfo(dtype).eps


def complex_rotation(x, past=0):
    """Each pair as a complex number, multiplied by e to the i times its angle."""
    pairs = torch.view_as_complex(
        x.unflatten(-1, (-1, 2)).contiguous()
    )  # (B, H, T, D/2)
    for t in range(x.size(2)):
        for i in range(pairs.size(-1)):
            angle = (past + t) * 10_000 ** (-2 * i / x.size(-1))
            pairs[:, :, t, i] *= complex(math.cos(angle), math.sin(angle))
    return torch.view_as_real(pairs).flatten(-2)  # (B, H, T, D)


@pytest.mark.parametrize("past", [0, 1, 17])
def test_rotation_multiplies_complex_numbers(past):
    x = noise(torch.empty(B, H, T, 22, dtype=torch.float64))
    assert (
        apply_rotary(x, past) - complex_rotation(x.clone(), past)
    ).abs().max() < 1e-12


def test_rotation_keeps_lengths_and_leaves_position_0_alone():
    x = noise(torch.empty(B, H, T, D, dtype=torch.float64))
    assert (apply_rotary(x).norm(dim=-1) - x.norm(dim=-1)).abs().max() < 1e-12
    assert torch.equal(apply_rotary(x)[:, :, 0], x[:, :, 0])
    assert not torch.allclose(apply_rotary(x)[:, :, 1], x[:, :, 1])


def test_turned_products_depend_on_distance_alone():
    query = noise(torch.empty(B, H, T, D, dtype=torch.float64))
    key = noise(torch.empty(B, H, S, D, dtype=torch.float64), seed=2)
    here = apply_rotary(query) @ apply_rotary(key).transpose(-2, -1)  # (B, H, T, S)
    for shift in (1, 13, 101):
        there = apply_rotary(query, shift) @ apply_rotary(key, shift).transpose(
            -2, -1
        )  # (B, H, T, S)
        assert (here - there).abs().max() < 1e-12
    elsewhere = apply_rotary(query, 1) @ apply_rotary(key).transpose(
        -2, -1
    )  # (B, H, T, S)
    assert (here - elsewhere).abs().max() > 0.1


def test_an_odd_d_model_runs():
    config = TransformerConfig(17, 13, d_model=35, n_heads=5, n_layers=1, d_ff=23)
    ids = torch.ones(B, T, dtype=torch.long)
    assert Transformer(config)(ids, ids).isfinite().all()
