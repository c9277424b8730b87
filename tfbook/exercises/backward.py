"""Checks for lesson 3.6, the backward pass."""

import torch
import torch.nn.functional as F

from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    items,
    numbers,
    tensor,
    truth_value,
)
from tfbook.model.attention import MultiHeadAttention


@checked
def check_even_softmax(answer):
    """The Jacobian of a softmax of four equal scores: on the diagonal and off it."""
    on, off = numbers(answer, "the entry on the diagonal", "the entry off it")
    jacobian = torch.autograd.functional.jacobian(
        lambda s: s.softmax(-1), torch.zeros(4)
    )
    if abs(on - jacobian[0, 0]) > 1e-4:
        return "on the diagonal it is p (1 - p), with p = 1/4"
    if abs(off - jacobian[0, 1]) > 1e-4:
        return "off the diagonal it is -p p: mind the sign"


@checked
def check_masked_backward(answer):
    """A function from query, key, value, mask and d_output to three gradients."""
    backward = function(answer, "query", "key", "value", "mask", "d_output")
    names = "d_query", "d_key", "d_value"
    for batch, heads, t, s, d in ((2, 3, 5, 7, 2), (1, 1, 3, 2, 5)):
        shapes = (t, d), (s, d), (s, d)
        inputs = [
            torch.randn(
                batch, heads, *shape, dtype=torch.float64, requires_grad=True
            )
            for shape in shapes
        ]
        mask = torch.rand(t, s) < 0.5
        mask[:, 0] = True
        d_output = torch.randn(batch, heads, t, d, dtype=torch.float64)
        wanted = torch.autograd.grad(
            F.scaled_dot_product_attention(*inputs, attn_mask=mask),
            inputs,
            d_output,
        )
        given = [x.detach() for x in inputs]
        gradients = items(backward(*given, mask, d_output), "three tensors", RESULT)
        if len(gradients) != 3:
            return "return three tensors: d_query, d_key, d_value"
        for name, gradient, right in zip(names, gradients, wanted, strict=True):
            tensor(gradient, right, name)
            if not torch.allclose(gradient, right, atol=1e-8):
                near = torch.allclose(gradient, right * d**0.5, atol=1e-8)
                return f"{name} differs" + (
                    ": it lacks the scale" if near else " from PyTorch's"
                )


@checked
def check_value_bias(answer):
    """Whether a change of the value bias moves the output alike at all positions."""
    attention = MultiHeadAttention(6, n_heads=3).double()
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        before = attention(x, x, x)[0]
        attention.value_projection.bias.add_(1)
        moved = attention(x, x, x)[0] - before  # (2, 5, 6)
    if truth_value(answer) != torch.allclose(moved, moved[:1, :1].expand_as(moved)):
        return "each output is an average of values: what does the average of v + 1 become?"
