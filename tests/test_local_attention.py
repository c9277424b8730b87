"""The window against its definition, by brute force; its cheaper form and its cache."""

import pytest
import torch
from subjects import B, D, H, T, noise, vectors
from torch import nn

from tfbook import KeyValueCache, causal_mask, scaled_dot_product_attention
from tfbook.variants import local_attention, window_mask
from tfbook.variants.window import LocalAttention, WindowKeysAndValues


@pytest.mark.parametrize("window", [1, 2, 3, 7, 19])
@pytest.mark.parametrize("past", [0, 1, 5])
def test_the_mask_is_its_definition(window, past):
    mask = window_mask(T, window, past)
    assert mask.shape == (1, 1, T, past + T) and mask.dtype == torch.bool
    for t in range(T):
        for s in range(past + T):
            assert mask[0, 0, t, s] == (0 <= past + t - s < window)


def test_a_wide_window_is_a_causal_mask():
    assert torch.equal(window_mask(T, T + 3, 3), causal_mask(T, 3))


def heads(length, dtype=torch.float64):
    return [
        noise(torch.empty(B, H, length, width, dtype=dtype), seed)
        for seed, width in ((1, D), (2, D), (3, D + 1))
    ]


@pytest.mark.parametrize("window", [1, 2, 3, 5, 13, 30])
@pytest.mark.parametrize("length", [1, 2, 5, 13, 29])
def test_blocks_give_what_the_mask_gives(length, window):
    inputs = [x.requires_grad_() for x in heads(length)]
    wanted, _ = scaled_dot_product_attention(*inputs, window_mask(length, window))
    output = local_attention(*inputs, window)
    assert (output - wanted).abs().max() <= 1e-12
    gradients = [
        torch.autograd.grad((y * noise(y)).sum(), inputs) for y in (output, wanted)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() <= 1e-12


def layer(window=3, **others):
    torch.manual_seed(0)
    return LocalAttention(H * D, H, 1, window, **others).double().eval()


def test_the_layer_takes_the_blocks_where_it_can():
    """And gives the same where it can't: for weights, for pads."""
    ours, x = layer(), vectors(T, torch.float64)
    by_blocks, nothing = ours(x, x, x, causal_mask(T))
    by_mask, weights = ours(x, x, x, causal_mask(T), need_weights=True)
    assert nothing is None and weights.shape == (B, H, T, T)
    assert (by_blocks - by_mask).abs().max() <= 1e-12
    assert ((weights > 0) == window_mask(T, 3)).all()
    assert (ours(x, x, x)[0] - by_mask).abs().max() <= 1e-12
    keep = torch.ones(B, 1, 1, T, dtype=torch.bool)
    keep[1, ..., 2] = False
    _, weights = ours(x, x, x, keep & causal_mask(T), need_weights=True)
    assert not weights[1, ..., 2].any() and weights[0, :, 2:5, 2].all()
    padded = ours(x, x, x, keep & causal_mask(T))[0]
    assert (padded[0] - by_mask[0]).abs().max() <= 1e-12
    assert not torch.allclose(padded[1, 2:5], by_mask[1, 2:5])


def test_two_layers_see_twice_as_far():
    stack = nn.ModuleList([layer(), layer()])
    x = vectors(T, torch.float64).requires_grad_()
    y = x
    for one in stack:
        y = one(y, y, y)[0]
    (gradient,) = torch.autograd.grad(y[:, -1].sum(), x)
    assert [row.any().item() for row in gradient[0]] == [False] * 2 + [True] * 5


@pytest.mark.parametrize("window", [1, 3, 19])
def test_the_cache_holds_no_more_than_the_window(window):
    ours, x = layer(window), vectors(29, torch.float64)
    whole, memory = ours(x, x, x)[0], ours.new_past()
    outputs, kept = [], []
    for part in x.split([5, 7, *[1] * 17], dim=1):
        outputs.append(ours(part, part, part, cache=memory)[0])
        kept.append(memory.pair[0].size(-2))
    assert (torch.cat(outputs, dim=1) - whole).abs().max() <= 1e-12
    assert memory.length == 29 and kept[:2] == [5, min(5, window - 1) + 7]
    assert kept[-1] == min(window, 29)


def test_with_an_ordinary_cache_it_is_the_same():
    ours, x = layer(), vectors(T, torch.float64)
    memory = KeyValueCache().layers[0].past
    outputs = [
        ours(part, part, part, cache=memory)[0] for part in x.split(2, dim=1)
    ]
    assert (torch.cat(outputs, dim=1) - ours(x, x, x)[0]).abs().max() <= 1e-12


def test_what_was_just_read_can_be_taken_back_and_no_more():
    ours, x = layer(), vectors(29, torch.float64)
    memory = ours.new_past()
    for part in x[:, :17].split([11, 6], dim=1):
        ours(part, part, part, cache=memory)
    memory.crop(13)
    rest = x[:, 13:]
    again = ours(rest, rest, rest, cache=memory)[0]
    assert (again - ours(x, x, x)[0][:, 13:]).abs().max() <= 1e-12
    with pytest.raises(
        ValueError, match=r"^length must leave the 2 positions .*got 11"
    ):
        memory.crop(11)
    empty = WindowKeysAndValues(3)
    empty.crop(0)
    assert empty.length == 0


@pytest.mark.parametrize("window", [0, -3, 2.5, None, True])
def test_a_window_below_one_is_refused(window):
    for refuse in (
        lambda: window_mask(T, window),
        lambda: local_attention(*heads(T), window),
        lambda: layer(window),
    ):
        with pytest.raises((ValueError, TypeError), match=r"^window must .* got"):
            refuse()


@pytest.mark.parametrize(("name", "value"), [("length", 0), ("past", -1)])
def test_other_faults_are_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be at least"):
        window_mask(**{"length": T, "window": 3, name: value})
