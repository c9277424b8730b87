"""Lesson: recurrence and why it forgets."""

import torch

from tfbook.exercises import recurrence as exercises


def last_states(outputs, lengths):
    return outputs[torch.arange(len(outputs)), lengths - 1]


def by_gather(outputs, lengths):
    places = (lengths - 1)[:, None, None].expand(-1, 1, outputs.size(-1))
    return outputs.gather(1, places)[:, 0]


RIGHT = {
    exercises.check_steps_of_a_forget_gate: [15],
    exercises.check_last_states: [last_states, by_gather],
    exercises.check_forget_bias: [4],
}
WRONG = [
    (exercises.check_steps_of_a_forget_gate, 14, "multiplies by"),
    (exercises.check_steps_of_a_forget_gate, 7, "multiplies by"),
    (exercises.check_last_states, lambda outputs, lengths: outputs[:, -1], "pads"),
    (
        exercises.check_last_states,
        lambda outputs, lengths: outputs[torch.arange(3), lengths - 2],
        "n - 1",
    ),
    (
        exercises.check_last_states,
        lambda outputs, lengths: outputs[:, lengths - 1],
        "(B, d_hidden) = (3, 5)",
    ),
    (
        exercises.check_last_states,
        lambda outputs, lengths: outputs[torch.arange(3), lengths],
        "your answer raised IndexError",
    ),
    (exercises.check_forget_bias, 3, "less than a tenth"),
    (exercises.check_forget_bias, 6, "smaller bias"),
    (exercises.check_forget_bias, 3.76, "whole number"),
]
