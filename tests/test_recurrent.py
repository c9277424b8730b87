"""RNN and LSTM: what walking along time means. (Parity with PyTorch: tests/test_parity.py.)"""

import pytest
import torch
from invariants import assert_same
from subjects import B, T, noise

from tfbook import LSTM, RNN

D_INPUT, D_HIDDEN = 11, 13
both = pytest.mark.parametrize("kind", [RNN, LSTM])


def network(kind):
    x = noise(torch.empty(B, T, D_INPUT, dtype=torch.float64))
    return kind(D_INPUT, D_HIDDEN).double(), x


@both
def test_no_leak_from_the_future(kind):
    model, x = network(kind)
    changed = x.clone()
    changed[:, 3:] += 1
    before, after = model(x)[0], model(changed)[0]
    assert torch.equal(after[:, :3], before[:, :3])
    assert not torch.allclose(after[:, 3:], before[:, 3:])


@both
def test_a_state_carries_on_where_it_was_returned(kind):
    model, x = network(kind)
    whole, last = model(x)
    first, state = model(x[:, :2])
    rest, end = model(x[:, 2:], state)
    assert_same(torch.cat((first, rest), dim=1), whole, "in two pieces")
    for got, wanted in zip(end, last, strict=True):
        assert_same(got, wanted, "the last state")


@both
def test_rows_are_independent(kind):
    model, x = network(kind)
    together = model(x)[0]
    for b in range(B):
        assert_same(model(x[b : b + 1])[0], together[b : b + 1], "a row alone")


@both
def test_weights_start_uniform_within_one_over_the_root_of_the_width(kind):
    bound = D_HIDDEN**-0.5
    values = torch.cat([p.flatten() for p in kind(D_INPUT, D_HIDDEN).parameters()])
    assert values.abs().max() <= bound
    # the deviation of a uniform distribution is its half width by the root of 3
    assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
