"""Checks for lesson 4.3, training."""

import torch
import torch.nn.functional as F

from tfbook.exercises.report import checked


@checked
def check_first_losses(answer):
    """The loss of equal probabilities over 42 symbols, plain and smoothed by
    0.1, as a pair.
    """
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: the plain loss and the smoothed one"
    truth = torch.zeros(1, dtype=torch.long)
    for found, smoothing in zip(answer, (0.0, 0.1), strict=True):
        wanted = F.cross_entropy(
            torch.zeros(1, 42), truth, label_smoothing=smoothing
        )
        if abs(found - wanted) > 5e-3:
            return "put p(v) = 1/42 for every v into the two equations; a third digit matters"


@checked
def check_smoothed_loss(answer):
    """A function from logits (N, V), truth (N,) and epsilon to the smoothed loss."""
    for n, vocabulary, smoothing in ((5, 7, 0.1), (1, 3, 0.5), (11, 42, 0.0)):
        logits = 3 * torch.randn(n, vocabulary)  # (N, V)
        truth = torch.randint(vocabulary, (n,))
        wanted = F.cross_entropy(logits, truth, label_smoothing=smoothing)
        found = torch.as_tensor(answer(logits, truth, smoothing))
        if found.dim() != 0:
            return f"one number is wanted, got shape {tuple(found.shape)}"
        if not torch.isclose(found, wanted, atol=1e-5):
            near = F.cross_entropy(logits, truth)
            if torch.isclose(found, near, atol=1e-5):
                return "this is the loss without smoothing"
            return (
                "the value differs: the share goes to all V symbols, the truth too"
            )


@checked
def check_wider_batches(answer):
    """The share of pads in batches of at most 11,200 ids, sorted by length."""
    if not isinstance(answer, float) or not 0 <= answer < 1:
        return "give a share from 0 to 1, as a float"
    if not 0.02 < answer < 0.2:
        return "that is not the share of such batches: is it bucket(pairs, 11200, draw)?"
