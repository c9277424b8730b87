"""Rotary positions of any base and length, against the model's own and `transformers`."""

import math
from functools import partial

import pytest
import torch
from subjects import B, D, H, T, noise
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from tfbook.model.positions import apply_rotary
from tfbook.variants import Rotary
from tfbook.variants.rotary import (
    interpolated,
    interpolated_by_wavelength,
    ntk_base,
    rotary_frequencies,
)

LIKE = torch.empty(0, dtype=torch.float32)  # as transformers computes
WIDE = torch.empty(0, dtype=torch.float64)
D_HEAD = 22


def vectors(dtype=torch.float64):
    return noise(torch.empty(B, H, T, D, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("past", [0, 17])
def test_with_the_usual_base_it_is_the_models(dtype, past):
    x = vectors(dtype)
    turned = Rotary(D)(x, past)
    assert turned.dtype == dtype
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    assert (turned - apply_rotary(x, past)).abs().max() <= tolerance


def test_frequencies_are_powers_of_the_base():
    for base in (10.0, 500_000.0):
        found = rotary_frequencies(D_HEAD, base, like=WIDE)
        wanted = [base ** (-2 * i / D_HEAD) for i in range(D_HEAD // 2)]
        assert (
            found - torch.tensor(wanted, dtype=torch.float64)
        ).abs().max() < 1e-15


def theirs(kind, length=None, **parameters):
    """The frequencies of a rope type of transformers."""
    settings = {"rope_type": kind, "rope_theta": 500.0, **parameters}
    config = LlamaConfig(
        hidden_size=3 * D_HEAD,
        num_attention_heads=3,
        max_position_embeddings=101,
        rope_parameters=settings,
    )
    return ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length)[0]


def test_interpolation_is_transformers_linear_type():
    found = interpolated(rotary_frequencies(D_HEAD, 500.0, like=LIKE), 4.0)
    assert torch.equal(found, theirs("linear", factor=4.0))


def test_an_interpolated_position_turns_as_one_between_those_trained_on():
    x = vectors()
    far = Rotary(D, stretch=partial(interpolated, factor=4.0))(x[:, :, :1], past=20)
    near = apply_rotary(x[:, :, :1], past=5)
    assert (far - near).abs().max() < 1e-12


@pytest.mark.parametrize("length", [101, 150, 1010])
def test_ntk_is_transformers_dynamic_type(length):
    factor = 3.0
    stretched = factor * length / 101 - (factor - 1)
    found = rotary_frequencies(
        D_HEAD, ntk_base(500.0, stretched, D_HEAD), like=LIKE
    )
    wanted = theirs("dynamic", length, factor=factor)
    assert (found / wanted - 1).abs().max() < 1e-5


def test_ntk_leaves_the_fastest_pair_alone_and_interpolates_the_slowest():
    before = rotary_frequencies(D_HEAD, 500.0, like=WIDE)
    after = rotary_frequencies(D_HEAD, ntk_base(500.0, 8.0, D_HEAD), like=WIDE)
    ratio = before / after
    assert ratio[0] == 1 and abs(ratio[-1].item() - 8) < 1e-12
    assert (ratio.diff() > 0).all()


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}


@pytest.mark.parametrize("original", [11, 101, 8192])
def test_by_wavelength_is_transformers_llama3_type(original):
    frequencies = rotary_frequencies(D_HEAD, 500.0, like=LIKE)
    found = interpolated_by_wavelength(
        frequencies, **LLAMA3, original_length=original
    )
    wanted = theirs("llama3", **LLAMA3, original_max_position_embeddings=original)
    assert torch.equal(found, wanted)
    kept, slowed = found == frequencies, found == frequencies / 8
    if original == 101:
        assert kept.any() and slowed.any() and not (kept | slowed).all()


def test_bad_input_is_named():
    frequencies = rotary_frequencies(D_HEAD, like=WIDE)
    by_wavelength = partial(
        interpolated_by_wavelength, frequencies, original_length=101
    )
    faults = {
        "base": [
            lambda value: Rotary(D, value),
            lambda value: ntk_base(value, 2.0, D),
        ],
        "factor": [
            lambda value: interpolated(frequencies, value),
            lambda value: ntk_base(500.0, value, D),
            lambda value: by_wavelength(**(LLAMA3 | {"factor": value})),
        ],
        "low_freq_factor": [
            lambda value: by_wavelength(**(LLAMA3 | {"low_freq_factor": value})),
        ],
    }
    for name, calls in faults.items():
        for call in calls:
            for value in (0, -1.0, math.inf, math.nan, "2"):
                with pytest.raises((ValueError, TypeError), match=rf"^{name} must"):
                    call(value)
    with pytest.raises(ValueError, match=r"^low_freq_factor must be below high"):
        by_wavelength(**(LLAMA3 | {"low_freq_factor": 4.0}))
    with pytest.raises(ValueError, match=r"^d_head must be even"):
        Rotary(7)
    with pytest.raises(ValueError, match=r"^d_head must be at least 3"):
        ntk_base(500.0, 2.0, 2)
