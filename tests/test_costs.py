"""Counted costs, against numbers that a pencil gives."""

import pytest
import torch
import torch.nn.functional as F

from tfbook import MultiHeadAttention
from tfbook.inspect.costs import (
    bytes_kept,
    count_operations,
    fastest,
    longest_chain,
)


def test_a_product_has_two_operations_a_term():
    a, b = torch.randn(3, 5), torch.randn(5, 7)
    assert count_operations(lambda: a @ b) == 2 * 3 * 5 * 7  # (3, 7)


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_is_counted_whole_on_both_paths(need_weights):
    layer, x = MultiHeadAttention(30, 3).eval(), torch.randn(2, 7, 30)
    counted = count_operations(lambda: layer(x, x, x, need_weights=need_weights))
    assert counted == 2 * (8 * 7 * 30**2 + 4 * 7**2 * 30)


def test_backward_is_counted_too():
    a = torch.randn(3, 5, requires_grad=True)
    b = torch.randn(5, 7, requires_grad=True)
    assert count_operations(lambda: (a @ b).sum().backward()) == 3 * 2 * 3 * 5 * 7


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_chain_is_the_longest_of_several_ways(steps):
    x = torch.ones(2, requires_grad=True)
    far = x
    for _ in range(steps):
        far = far.exp()
    assert longest_chain(far + x.sin()) == steps + 2  # x itself, then the sum


def test_a_tensor_without_a_record_is_refused():
    with pytest.raises(ValueError, match="result must come from"):
        longest_chain(torch.ones(2))


def test_what_is_kept_is_counted_once():
    x = torch.randn(11, requires_grad=True)
    assert bytes_kept(lambda: x.exp()) == 11 * 4  # its result
    assert bytes_kept(lambda: x * x) == 11 * 4  # both factors are one storage
    assert bytes_kept(lambda: x + 1) == 0
    y = torch.randn(11, dtype=torch.float64, requires_grad=True)
    assert bytes_kept(lambda: (y.exp(), y.tanh())) == 2 * 11 * 8


def test_the_fused_kernel_keeps_no_square():
    def kept(length):
        query = torch.randn(1, 2, length, 8, requires_grad=True)
        return bytes_kept(
            lambda: F.scaled_dot_product_attention(query, query, query)
        )

    assert kept(256) < 2.2 * kept(128)


def test_the_fastest_round_of_each_run_taken_in_turn():
    seconds = {"a": iter((5, 2, 3)), "b": iter((7, 9, 11))}
    now, order = [100], []

    def run(name):
        order.append(name)
        now[0] += next(seconds[name])

    runs = {name: lambda name=name: run(name) for name in seconds}
    assert fastest(runs, 3, clock=lambda: now[0]) == {"a": 2, "b": 7}
    assert order == ["a", "b"] * 3
