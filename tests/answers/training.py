"""Lesson: training."""

import math

import torch
import torch.nn.functional as F

from tfbook.exercises import training as exercises


def smoothed(logits, target, epsilon):
    logs = logits.log_softmax(-1)  # (N, V)
    picked = logs[torch.arange(len(target)), target]  # (N,)
    return (-(1 - epsilon) * picked - epsilon * logs.mean(-1)).mean()


def smoothed_over_the_others(logits, target, epsilon):
    """The share goes to all symbols but the target, a usual slip."""
    logs, v = logits.log_softmax(-1), logits.size(-1)  # (N, V)
    picked = logs[torch.arange(len(target)), target]  # (N,)
    rest = (logs.sum(-1) - picked) / (v - 1)
    return (-(1 - epsilon) * picked - epsilon * rest).mean()


TRUTHS = {"_pads": 0.02753}
RIGHT = {
    exercises.check_first_losses: [(3.738, 3.738), [math.log(42), math.log(42)]],
    exercises.check_smoothed_loss: [
        smoothed,
        lambda z, y, e: F.cross_entropy(z, y, label_smoothing=e),
    ],
    exercises.check_wider_batches: [0.0275, 0.028],
}
WRONG = [
    (exercises.check_first_losses, 3.738, "a list of 2 numbers"),
    (exercises.check_first_losses, (3.7, 3.7), "a third digit"),
    (
        exercises.check_first_losses,
        (math.log(42), 0.9 * math.log(42)),
        "p(v) = 1/42",
    ),
    (
        exercises.check_smoothed_loss,
        F.cross_entropy,
        "your answer raised TypeError",
    ),
    (
        exercises.check_smoothed_loss,
        lambda z, y, e: F.cross_entropy(z, y),
        "without smooth",
    ),
    (exercises.check_smoothed_loss, smoothed_over_the_others, "the target too"),
    (exercises.check_smoothed_loss, lambda z, y, e: z, "should be a number"),
    (exercises.check_wider_batches, 0.4, "bucket(pairs, 11200, generator)"),
    (exercises.check_wider_batches, 0.05, "bucket(pairs, 11200, generator)"),
    (exercises.check_wider_batches, 0.19, "bucket(pairs, 11200, generator)"),
    (exercises.check_wider_batches, 5, "a share from 0 to 1"),
]
