"""Checks for lesson 3.3, masks."""

import torch

from tfbook.data.recorded import recorded
from tfbook.exercises.report import checked, function, tensor, whole
from tfbook.model.masks import causal_mask, padding_mask


@checked
def check_count(answer):
    """How many True the padding and causal masks of two targets have together."""
    answer = whole(answer)
    ids = torch.tensor([[1, 9, 4, 0, 0], [1, 5, 0, 0, 0]])
    both = padding_mask(ids) & causal_mask(5)  # (2, 1, 5, 5)
    if answer == 2 * causal_mask(5).sum():
        return "that is the causal mask alone, twice: which columns are pads?"
    if answer == padding_mask(ids).expand(2, 1, 5, 5).sum():
        return "that is the padding mask alone: may the first query look ahead?"
    if answer == 6 + 3:
        return "only the columns of pads are hidden: their rows count too"
    if answer != both.sum():
        return "count row by row: each query sees the real keys up to itself"


@checked
def check_window(answer):
    """A function from (length, window, past) to the boolean mask of a sliding window,
    (1, 1, length, past + length).
    """
    sliding = function(answer, "length", "window", "past")
    for length, window, past in (
        (5, 2, 0),
        (7, 3, 0),
        (3, 1, 0),
        (2, 3, 5),
        (1, 4, 6),
    ):
        case = f"length {length}, window {window}, past {past}"
        like = torch.empty(1, 1, length, past + length, dtype=torch.bool)
        mask = tensor(sliding(length, window, past), like, f"the mask for {case}")
        for t in range(length):
            position = past + t  # of the query among the keys
            seen = [s for s, may in enumerate(mask[0, 0, t].tolist()) if may]
            wanted = list(range(max(0, position - window + 1), position + 1))
            if seen != wanted:
                return f"{case}: query {t} should see the keys {wanted}, it sees {seen}"


@checked
def check_pads_needed(answer):
    """The fewest pads with which the model without a cross-attention mask copies five
    symbols.
    """
    answer = whole(answer)
    tried = recorded("3-algorithm/exercises_3.json")["check_pads_needed"]
    worst = [min(shares) for shares in zip(*tried, strict=True)]  # of all seeds
    fewest = next(n for n, share in enumerate(worst) if share >= 0.9)
    if answer < 0:
        return "give a number of pads, from 0 on"
    if answer < fewest:
        return "with so few it goes on after the last symbol: see its answers"
    if answer > fewest:
        return "it gets by with fewer: did you try every number from 0 on?"
