"""Checks for lesson 4.3, training."""

import functools
import math

import torch
import torch.nn.functional as F

from tfbook.data.batching import bucket, pad_pairs
from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    number,
    numbers,
    share,
)
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation


@checked
def check_first_losses(answer):
    """The loss of equal probabilities over 42 symbols, plain and smoothed by
    0.1, as a pair.
    """
    losses = numbers(answer, "the plain loss", "the smoothed loss")
    target = torch.zeros(1, dtype=torch.long)
    for loss, smoothing in zip(losses, (0.0, 0.1), strict=True):
        wanted = F.cross_entropy(
            torch.zeros(1, 42), target, label_smoothing=smoothing
        )
        if abs(loss - wanted) > 5e-3:
            return "put p(v) = 1/42 for every v into the two equations; a third digit matters"


@checked
def check_smoothed_loss(answer):
    """A function from logits (N, V), target (N,) and epsilon to the smoothed loss."""
    loss = function(answer, "logits", "target", "epsilon")
    for n, vocabulary, smoothing in ((5, 7, 0.1), (1, 3, 0.5), (11, 42, 0.0)):
        logits = 3 * torch.randn(n, vocabulary)  # (N, V)
        target = torch.randint(vocabulary, (n,))
        wanted = F.cross_entropy(logits, target, label_smoothing=smoothing)
        result = number(loss(logits, target, smoothing), RESULT)
        if not math.isclose(result, wanted, rel_tol=1e-5, abs_tol=1e-5):
            plain = F.cross_entropy(logits, target)
            if math.isclose(result, plain, rel_tol=1e-5, abs_tol=1e-5):
                return "this is the loss without smoothing"
            return (
                "the value differs: the share goes to all V symbols, the target too"
            )


@checked
def check_wider_batches(answer):
    """The share of pads in batches of at most 11,200 ids, sorted by length."""
    answer = share(answer)
    if abs(answer - _pads(11_200)) > 0.003:
        return "that is not the share of such batches: is it bucket(pairs, 11200, generator)?"


@functools.cache
def _pads(tokens):
    """The share of pads in what `bucket` makes of the training words."""
    pairs = encode_pairs(load_pronunciation()["train"])
    real = padded = 0
    for batch in bucket(pairs, tokens, torch.Generator().manual_seed(0)):
        for ids in pad_pairs([pairs[i] for i in batch]):
            real, padded = real + (ids != 0).sum().item(), padded + ids.numel()
    return 1 - real / padded
