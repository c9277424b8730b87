"""Lesson: language."""

import math

import torch

from tfbook.exercises import language as exercises

X, Y = 3.1 / math.log(2) / 4.2, 0.9 / math.log(2)


def top_p(probabilities, p, *, late=0, divide=True, shuffled=False):
    ranked, ids = probabilities.sort(descending=True)
    kept = ranked.cumsum(0) - ranked < p
    if late:
        kept = ranked.cumsum(0) <= p
        kept[0] = True
    left = torch.zeros_like(probabilities)
    if shuffled:
        left[: int(kept.sum())] = ranked[kept]
    else:
        left[ids[kept]] = ranked[kept]
    return left / left.sum() if divide else left


def top_p_in_place(probabilities, p):
    probabilities /= 2
    return top_p(probabilities * 2, p)


RIGHT = {
    exercises.check_costs: [(X, Y), [1.06, 1.3]],
    exercises.check_top_p: [top_p],
    exercises.check_copied: [0.3, 0.55],
}
WRONG = [
    (exercises.check_costs, 1.06, "give a pair"),
    (exercises.check_costs, (3.1 / 4.2, 0.9), "nats are not bits"),
    (exercises.check_costs, (3.1 / math.log(2), Y), "bits an id"),
    (exercises.check_costs, (X * 2, Y), "divide the nats"),
    (exercises.check_top_p, lambda x, p: x[:2], "a tensor of shape"),
    (exercises.check_top_p, top_p_in_place, "work on a copy"),
    (exercises.check_top_p, lambda x, p: top_p(x, p, divide=False), "add up to 1"),
    (exercises.check_top_p, lambda x, p: top_p(x, p, late=1), "too few are left"),
    (
        exercises.check_top_p,
        lambda x, p: top_p(x, p, shuffled=True),
        "in their places",
    ),
    (exercises.check_copied, 3, "as a float"),
    (exercises.check_copied, 1.5, "between 0 and 1"),
    (exercises.check_copied, 0.0, "strip the indentation"),
    (exercises.check_copied, 0.95, "of at least 12 characters"),
]
