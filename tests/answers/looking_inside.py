"""Lesson: looking inside."""

import torch

from tfbook.exercises import looking_inside as exercises


def rollout(maps, *, residual=True, reverse=False):
    total = torch.eye(maps.size(-1))  # (S, S)
    for heads in maps:
        mean = heads.mean(dim=0)  # (S, S)
        if residual:
            mean = (mean + torch.eye(len(mean))) / 2
        total = total @ mean if reverse else mean @ total  # (S, S)
    return total


def rollout_in_place(maps):
    maps += torch.eye(maps.size(-1))
    return rollout(maps)


TRUTHS = {"_together": 67 / 47}
RIGHT = {
    exercises.check_rows: [(2, 7), [2, 7]],
    exercises.check_rollout: [rollout],
    exercises.check_together: [67 / 47, 1.4, 1.48],
}
WRONG = [
    (exercises.check_rows, (3, 8), "already read"),
    (exercises.check_rows, (1, 7), "row 0 reads start"),
    (exercises.check_rows, (2, 6), "the stop comes after"),
    (exercises.check_rows, 2, "a list of 2 numbers"),
    (exercises.check_rollout, lambda m: m.mean(dim=1), "a tensor of shape"),
    (exercises.check_rollout, lambda m: rollout(m, residual=False), "one layer is"),
    (exercises.check_rollout, lambda m: rollout(m, reverse=True), "on the left"),
    (
        exercises.check_rollout,
        lambda m: (m[0].mean(dim=0) + torch.eye(m.size(-1))) / 2,
        "multiply the layers",
    ),
    (exercises.check_rollout, rollout_in_place, "work on a copy"),
    (exercises.check_together, 0.4, "hide each other's loss"),
    (exercises.check_together, 1, "divide by the sum"),
    (exercises.check_together, 15, "divide by the sum"),
    (exercises.check_together, 67, "divide by the sum"),
]
