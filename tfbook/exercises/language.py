"""Checks for lesson 4.7, language."""

import math

import torch

from tfbook.decoding.stepwise import candidates
from tfbook.exercises.report import checked


@checked
def check_costs(answer):
    """The bits per byte of model X, 3.1 nats an id of 4.2 bytes, and of model Y, 0.9 nats
    a byte, as a pair.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: the bits per byte of X, those of Y"
    wanted = (3.1 / math.log(2) / 4.2, 0.9 / math.log(2))
    if math.isclose(answer[1], 0.9, rel_tol=0.02):
        return "nats are not bits: divide by ln 2"
    if math.isclose(answer[0], 3.1 / math.log(2), rel_tol=0.02):
        return "these are bits an id: X has 4.2 bytes to an id"
    if any(
        not math.isclose(a, w, rel_tol=0.02)
        for a, w in zip(answer, wanted, strict=True)
    ):
        return "divide the nats an id by ln 2 and by the bytes an id"


@checked
def check_top_p(answer):
    """A function from probabilities (V,) and p to what is left of them, adding up to 1."""
    for seed, size, p in ((0, 5, 0.5), (1, 11, 0.9), (2, 7, 0.05), (3, 13, 1.0)):
        chance = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(1, size, generator=chance)
        probabilities = logits.softmax(-1)[0]  # (V,)
        before, found = probabilities.clone(), answer(probabilities, p)
        if not isinstance(found, torch.Tensor) or found.shape != (size,):
            return f"the result should be a tensor of shape {(size,)}"
        if not torch.equal(probabilities, before):
            return "the reader's probabilities were changed: work on a copy"
        chances, ids = candidates(logits, top_p=p)
        wanted = torch.zeros(size)
        wanted[ids[0]] = chances[0]
        if torch.equal(found > 0, wanted > 0) and not torch.allclose(
            found.sum(), torch.tensor(1.0), atol=1e-4
        ):
            return "what is left must add up to 1 again"
        if (found > 0).sum() < (wanted > 0).sum():
            return "too few are left: the id that reaches p stays in"
        if not torch.allclose(found, wanted / wanted.sum(), atol=1e-4):
            return "keep the fewest likeliest ids that together reach p, in their places"


@checked
def check_copied(answer):
    """The share of the GPT's longer lines that stand in its training text, as a float."""
    if not isinstance(answer, float):
        return "give copied lines / all lines looked at, as a float"
    if not 0 <= answer <= 1:
        return "a share lies between 0 and 1"
    if answer == 0:
        return "none at all? strip the indentation on both sides before you compare"
    if answer > 0.7:
        return "nearly all? look at lines of at least 12 characters only"
