"""Checks for lesson 3.3, masks."""

import torch

from tfbook.exercises.report import checked
from tfbook.model.masks import causal_mask, padding_mask


@checked
def check_count(answer):
    """How many True the padding and causal masks of two targets have together."""
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
    for length, window, past in (
        (5, 2, 0),
        (7, 3, 0),
        (3, 1, 0),
        (2, 3, 5),
        (1, 4, 6),
    ):
        mask = answer(length, window, past)
        if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
            return "return a boolean tensor: True = may attend"
        case = f"length {length}, window {window}, past {past}"
        if mask.shape != (1, 1, length, past + length):
            wanted = (1, 1, length, past + length)
            return f"{case}: the shape should be {wanted}, got {tuple(mask.shape)}"
        for t in range(length):
            place = past + t  # of the query among the keys
            seen = [s for s, may in enumerate(mask[0, 0, t].tolist()) if may]
            wanted = list(range(max(0, place - window + 1), place + 1))
            if seen != wanted:
                return f"{case}: query {t} should see the keys {wanted}, it sees {seen}"


@checked
def check_pads_needed(answer):
    """The fewest pads with which the model without a cross-attention mask copies five
    symbols.
    """
    if not isinstance(answer, int) or isinstance(answer, bool) or answer < 0:
        return "give a number of pads, as an int"
    if answer == 0:
        return "without a pad it goes on after the last symbol: see its answers"
    if answer > 1:
        return "it gets by with fewer: did you try every number from 0 on?"
