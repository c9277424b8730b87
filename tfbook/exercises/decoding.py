"""Checks for lesson 4.4, decoding."""

import torch

from tfbook.exercises.report import (
    checked,
    function,
    items,
    number,
    numbers,
    tensor,
    whole,
)


@checked
def check_cache_positions(answer):
    """Keys computed by a layer for ten symbols, without a cache and with it."""
    without, cached = numbers(answer, "without the cache", "with the cache")
    if without != sum(range(1, 11)):
        return "without a cache, step t computes the keys of all t positions so far"
    if cached != 10:
        return "with the cache each step computes one key"


@checked
def check_passes(answer):
    """Symbols accepted by each pass, of ten guessed with the second and the seventh wrong."""
    passes = [whole(n, "each pass") for n in items(answer, "symbols in each pass")]
    if sum(passes) != 10:
        return "the passes accept ten symbols together"
    if passes != [2, 5, 3]:
        return (
            "a pass keeps the guesses up to the first wrong one, and corrects that"
        )


@checked
def check_top_p(answer):
    """A function from probabilities (V,) and p to those that top-p keeps, scaled."""
    top_p = function(answer, "probabilities", "p")
    for v, p in ((7, 0.5), (11, 0.9), (3, 0.01), (5, 1.0)):
        probabilities = torch.randn(v).softmax(0)  # (V,)
        before = probabilities.clone()
        result = tensor(top_p(probabilities, p), before)
        if not torch.equal(probabilities, before):
            return "the reader's probabilities were changed: work on a copy"
        if not torch.isclose(result.sum(), torch.ones(())):
            return "what is kept should sum to one"
        kept, order = result > 0, before.argsort(descending=True)
        fewest = int((before[order].cumsum(0) < p - 1e-6).sum()) + 1
        if int(kept.sum()) != min(fewest, v) or not kept[order[:fewest]].all():
            return "keep the fewest most probable symbols whose sum reaches p"
        wanted = before * kept / (before * kept).sum()  # (V,)
        if not torch.allclose(result, wanted):
            return "what is kept keeps its proportions"


@checked
def check_length_penalty(answer):
    """How many sounds longer answers get at a length penalty of 3."""
    if not 0 < number(answer) < 3:
        return "dividing by more lets longer answers win: the difference is small and positive"
