"""Dropout: its rate, its independence, its expectation, its gradient."""

import pytest
import torch

from tfbook.model.dropout import Dropout, dropout

SHAPE = (53, 31, 61)  # 100,223 values: no multiple of four


def dropped(p, seed=0, shape=SHAPE, dtype=torch.float64):
    torch.manual_seed(seed)
    return dropout(torch.ones(shape, dtype=dtype), p) == 0


@pytest.mark.parametrize("p", [0.05, 0.1, 0.3, 0.5, 0.9])
def test_rate(p):
    """Within four standard deviations of p, over all values and along each axis."""
    zeros = dropped(p)
    for axes in ((0, 1, 2), (0, 1), (1, 2), (0, 2)):
        share, count = zeros.double().mean(axes), zeros.numel()
        n = count / share.numel()
        assert ((share - p).abs() < 4.5 * (p * (1 - p) / n) ** 0.5).all()


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_positions_and_calls_are_independent(p):
    """Neighbours at any distance, and two calls, fall together p² of the time."""
    zeros = dropped(p).flatten()
    torch.manual_seed(0)
    dropout(torch.ones(SHAPE), p)
    again = dropout(torch.ones(SHAPE), p).flatten() == 0
    n = zeros.numel()
    bound = 4.5 * (p**2 * (1 - p**2) / n) ** 0.5 * 1.5
    for distance in (1, 2, 3, 4, 8, 61, 31 * 61):
        both = (zeros[distance:] & zeros[:-distance]).double().mean()
        assert abs(both - p**2) < bound, f"at distance {distance}"
    assert abs((zeros & again).double().mean() - p**2) < bound


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str
)
def test_what_stays_is_scaled_and_the_expectation_kept(p, dtype):
    torch.manual_seed(0)
    y = dropout(torch.ones(SHAPE, dtype=dtype), p)
    assert y.dtype == dtype and y.shape == SHAPE
    kept = y[y != 0]
    torch.testing.assert_close(
        kept,
        torch.full_like(kept, 1 / (1 - p)),
        rtol=1e-2 if dtype == torch.bfloat16 else 1e-5,
        atol=0,
    )
    assert abs(y.double().mean() - 1) < 4 * (p / (1 - p) / y.numel()) ** 0.5 + (
        4e-3 if dtype == torch.bfloat16 else 0
    )


def test_the_scale_is_that_of_the_rounded_rate():
    """0.1 is 6,554 of 65,536: what stays is divided by the share that does stay."""
    y = dropout(torch.ones(SHAPE, dtype=torch.float64), 0.1)
    assert y.unique().tolist() == [0.0, 2**16 / (2**16 - 6554)]


def test_elsewhere_than_on_a_cpu_it_is_pytorchs():
    """No 16-bit draws there: they would have to be copied."""
    y = dropout(torch.ones(SHAPE, device="meta"), 0.1)
    assert y.shape == SHAPE and y.device.type == "meta"


def test_gradient_is_masked_alike():
    x = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
    y = dropout(x, 0.3)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)
    assert ((gradient == 0) == (y == 0)).all()


def test_the_seed_decides():
    assert torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=1))
    assert not torch.equal(dropped(0.3, seed=1), dropped(0.3, seed=2))


def test_zero_and_eval_change_nothing():
    x, layer = torch.randn(7, 5), Dropout(0.5)
    state = torch.get_rng_state()
    assert dropout(x, 0) is x and layer.eval()(x) is x
    assert torch.equal(torch.get_rng_state(), state), (
        "a number was drawn for nothing"
    )
    assert (layer.train()(x) == 0).any()


@pytest.mark.parametrize("shape", [(1,), (3,), (0,), (2, 0, 3), ()])
def test_small_shapes(shape):
    assert dropout(torch.ones(shape), 0.5).shape == shape


def test_hardly_anything_is_left():
    """The rate is rounded, but never to 1: what stays is finite."""
    y = dropout(torch.ones(SHAPE), 0.999999)
    assert y.isfinite().all() and (y == 0).double().mean() > 0.9999


def test_strides_do_not_matter():
    x = torch.ones(61, 31).T
    assert abs((dropout(x, 0.5) == 0).double().mean() - 0.5) < 0.06
