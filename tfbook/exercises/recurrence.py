"""Checks for lesson 2.1, recurrence and why it forgets."""

from itertools import count

import torch

from tfbook.exercises.report import checked, function, tensor, whole


@checked
def check_steps_of_a_forget_gate(answer):
    """The fewest steps after which a forget gate of sigmoid(1) passes less than 1 %."""
    gate = torch.tensor(1.0).sigmoid().item()
    if whole(answer) != next(n for n in count() if gate**n < 0.01):
        return "each step multiplies by 1 / (1 + e^-1) = 0.731: after how many is it below 0.01?"


@checked
def check_last_states(answer):
    """A function from outputs (B, T, d_hidden) and lengths (B,) to the outputs at the
    last real positions, (B, d_hidden).
    """
    last = function(answer, "outputs", "lengths")
    outputs, lengths = torch.randn(3, 7, 5), torch.tensor([7, 2, 1])
    wanted = torch.stack([outputs[0, 6], outputs[1, 1], outputs[2, 0]])
    result = tensor(last(outputs, lengths), wanted, shape="(B, d_hidden)")
    if torch.equal(result, outputs[:, -1]):
        return "that is the state at the end of the row, where pads may stand"
    if not torch.equal(result, wanted):
        return "the last of n positions has the index n - 1, in its own row"


@checked
def check_forget_bias(answer):
    """The smallest whole forget bias that passes a tenth over 100 steps."""
    answer = whole(answer)
    smallest = next(b for b in count() if torch.tensor(b).sigmoid() ** 100 >= 0.1)
    if answer < smallest:
        return "with this bias less than a tenth is left after 100 steps"
    if answer > smallest:
        return "a smaller bias passes a tenth too"
