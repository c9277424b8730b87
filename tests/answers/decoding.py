"""Lesson: decoding."""

import torch

from tfbook.exercises import decoding as exercises


def top_p(probabilities, p, *, more=0, scaled=True):
    order = probabilities.argsort(descending=True)
    kept, total = torch.zeros_like(probabilities), 0.0
    for count, symbol in enumerate(order.tolist()):
        kept[symbol] = probabilities[symbol]
        total += float(probabilities[symbol])
        if total >= p and count >= more:
            break
    return kept / kept.sum() if scaled else kept


def top_p_in_place(probabilities, p):
    kept = top_p(probabilities, p)
    return probabilities.copy_(kept)


TRUTHS = {"_growth": 0.36}
RIGHT = {
    exercises.check_cache_positions: [(55, 10), [55, 10]],
    exercises.check_passes: [[2, 5, 3], (2, 5, 3)],
    exercises.check_top_p: [top_p],
    exercises.check_length_penalty: [0.36, 0.34, 0.39],
}
WRONG = [
    (exercises.check_cache_positions, 55, "a list of 2 numbers"),
    (exercises.check_cache_positions, (100, 10), "step t computes"),
    (exercises.check_cache_positions, (55, 1), "each step computes one key"),
    (exercises.check_passes, 3, "a list of symbols"),
    (exercises.check_passes, [1, 4, 3], "ten symbols together"),
    (exercises.check_passes, [2, 4, 4], "up to the first wrong one"),
    (exercises.check_top_p, lambda p, share: p, "fewest most probable"),
    (
        exercises.check_top_p,
        lambda p, share: top_p(p, share, more=1),
        "fewest most",
    ),
    (
        exercises.check_top_p,
        lambda p, share: top_p(p, share, scaled=False),
        "sum to one",
    ),
    (exercises.check_top_p, top_p_in_place, "work on a copy"),
    (exercises.check_top_p, lambda p, share: p.tolist(), "a tensor of shape"),
    (exercises.check_length_penalty, -0.2, "the difference is not zero"),
    (exercises.check_length_penalty, 0, "the difference is not zero"),
    (exercises.check_length_penalty, 2.9, "divide by the words"),
    (exercises.check_length_penalty, 0.5, "divide by the words"),
    (exercises.check_length_penalty, 72, "divide by the words"),
    (exercises.check_length_penalty, "longer", "a number"),
]
