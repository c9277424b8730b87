"""The state-space layer against SciPy's discretisation, and its scan against its convolution."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import cont2discrete
from subjects import B, T, noise, vectors

from tfbook.variants.state_space import StateSpace

CHANNELS, STATES = 5, 3


def layer(channels=CHANNELS):
    torch.manual_seed(0)
    return StateSpace(channels, STATES).double()


def signal(length):
    return noise(torch.empty(B, CHANNELS, length, dtype=torch.float64))


def test_a_step_is_scipys_zero_order_hold():
    """Of h' = a h + x, read by C: as S4D has it, with B = 1."""
    ours = layer()
    decay, readout = ours.system()
    rate = torch.complex(-ours.log_damping.exp(), ours.frequency)
    c = torch.view_as_complex(ours.readout)
    for channel, n in ((0, 0), (2, 1), (4, 2)):
        step = ours.log_step[channel].exp().item()
        system = rate[channel, n].item(), 1.0, c[channel, n].item(), 0.0
        system = [np.array([[part]]) for part in system]
        a, b, c_, _, _ = cont2discrete(system, step)
        assert abs(decay[channel, n].item() - a[0, 0]) < 1e-12
        assert abs(readout[channel, n].item() - b[0, 0] * c_[0, 0]) < 1e-12


def test_it_starts_as_s4d_lin():
    ours = layer()
    wanted = torch.tensor([math.pi * n for n in range(STATES)], dtype=torch.float64)
    assert (ours.frequency - wanted).abs().max() < 1e-6
    assert (ours.log_damping.exp() - 0.5).abs().max() < 1e-7
    steps = ours.log_step.exp()
    assert (steps > 0.001).all() and (steps < 0.1).all()


def brute_force(ours, x):
    """The sum over all inputs so far, one oscillator at a time, in Python's complex numbers."""
    decay, readout = (part.tolist() for part in ours.system())
    output = torch.zeros_like(x)
    for channel in range(CHANNELS):
        for t in range(x.size(-1)):
            for s in range(t + 1):
                kernel = sum(
                    2 * (c * a ** (t - s)).real
                    for c, a in zip(readout[channel], decay[channel], strict=True)
                )
                output[:, channel, t] += kernel * x[:, channel, s]
    return output


@pytest.mark.parametrize("length", [1, 2, 7, 11])
def test_scan_and_convolution_are_the_sum(length):
    ours, x = layer(), signal(length)
    wanted = brute_force(ours, x)
    assert (ours.scan(x)[0] - wanted).abs().max() <= 1e-12
    assert (ours.convolution(x) - wanted).abs().max() <= 1e-12


def test_their_gradients_agree():
    ours, x = layer(), signal(11).requires_grad_()
    inputs = [x, ours.log_step, ours.log_damping, ours.frequency, ours.readout]
    gradients = [
        torch.autograd.grad((y * noise(y)).sum(), inputs)
        for y in (ours.scan(x)[0], ours.convolution(x))
    ]
    for one, other in zip(*gradients, strict=True):
        assert one.any() and (one - other).abs().max() <= 1e-10


def test_a_state_continues_a_sequence_and_does_not_grow():
    ours, x = layer(), signal(11)
    whole, last = ours.scan(x)
    first, state = ours.scan(x[..., :4])
    rest, end = ours.scan(x[..., 4:], state)
    assert (torch.cat((first, rest), -1) - whole).abs().max() <= 1e-12
    assert state.shape == end.shape == (B, CHANNELS, STATES)
    assert (end - last).abs().max() <= 1e-12


def test_the_layer_adds_what_it_reads_and_mixes_the_channels():
    ours = layer(30)
    x = vectors(T, torch.float64)
    columns = x.transpose(1, 2)  # (B, 30, T)
    inner = ours.scan(columns)[0] + ours.feedthrough[:, None] * columns
    inner = torch.nn.functional.gelu(inner).transpose(1, 2)
    wanted = ours.output_projection(inner)
    output, weights = ours(x, x, x)
    assert (output - wanted).abs().max() <= 1e-12 and weights is None


def test_bad_input_is_named():
    for name, value in (("d_model", 0), ("n_states", 1.5)):
        with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
            StateSpace(**{"d_model": 5, name: value})
    ours, x = layer(30), vectors(T, torch.float64)
    with pytest.raises(ValueError, match=r"^need_weights must be False"):
        ours(x, x, x, need_weights=True)
    with pytest.raises(ValueError, match=r"^mask must be causal_mask"):
        ours(x, x, x, torch.ones(1, 1, T, T, dtype=torch.bool))
