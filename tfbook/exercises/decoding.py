"""Checks for lesson 4.4, decoding."""

import torch

from tfbook.exercises.report import checked


@checked
def check_cache_positions(answer):
    """Keys computed by a layer for ten symbols, without a cache and with it."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: without the cache, with it"
    if answer[0] != sum(range(1, 11)):
        return "without a cache, step t computes the keys of all t positions so far"
    if answer[1] != 10:
        return "with the cache each step computes one key"


@checked
def check_passes(answer):
    """Symbols said by each pass, of ten guessed with the second and the seventh wrong."""
    if not isinstance(answer, tuple | list):
        return "give a list: how many symbols the first pass says, the second, …"
    if sum(answer) != 10:
        return "the passes say ten symbols together"
    if list(answer) != [2, 5, 3]:
        return (
            "a pass keeps what is right up to the first wrong one, and mends that"
        )


@checked
def check_top_p(answer):
    """A function from probabilities (V,) and p to those that top-p keeps, scaled."""
    for v, p in ((7, 0.5), (11, 0.9), (3, 0.01), (5, 1.0)):
        probabilities = torch.randn(v).softmax(0)  # (V,)
        before = probabilities.clone()
        found = answer(probabilities, p)
        if not isinstance(found, torch.Tensor) or found.shape != before.shape:
            return f"the result should be a tensor of shape {tuple(before.shape)}"
        if not torch.equal(probabilities, before):
            return "the reader's probabilities were changed: work on a copy"
        if not torch.isclose(found.sum(), torch.ones(())):
            return "what is kept should sum to one"
        kept, order = found > 0, before.argsort(descending=True)
        fewest = int((before[order].cumsum(0) < p - 1e-6).sum()) + 1
        if int(kept.sum()) != min(fewest, v) or not kept[order[:fewest]].all():
            return "keep the fewest most probable symbols whose sum reaches p"
        wanted = before * kept / (before * kept).sum()  # (V,)
        if not torch.allclose(found, wanted):
            return "what is kept keeps its proportions"


@checked
def check_length_penalty(answer):
    """How many sounds longer answers get at a length penalty of 3."""
    if not isinstance(answer, float):
        return "give the difference of the mean lengths, as a float"
    if not 0 < answer < 3:
        return "dividing by more lets longer answers win: the difference is small and positive"
