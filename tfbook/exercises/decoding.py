"""Checks for lesson 4.4, decoding."""

import functools
from itertools import pairwise

import torch

from tfbook.data.batching import pad_batch
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import beam_search
from tfbook.exercises.report import (
    checked,
    function,
    items,
    number,
    numbers,
    tensor,
    whole,
)
from tfbook.tasks.pronunciation import LETTERS, load_pronouncer, load_pronunciation


@checked
def check_cache_positions(answer):
    """Keys computed by a layer for ten symbols, without a cache and with it."""
    without, cached = numbers(answer, "without the cache", "with the cache")
    symbols = 10
    if without != sum(range(1, symbols + 1)):
        return "without a cache, step t computes the keys of all t positions so far"
    if cached != symbols:
        return "with the cache each step computes one key"


@checked
def check_passes(answer):
    """Symbols accepted by each pass, of ten guessed with the second and the seventh wrong."""
    passes = [whole(n, "each pass") for n in items(answer, "symbols in each pass")]
    if sum(passes) != 10:
        return "the passes accept ten symbols together"
    if passes != _passes(10, wrong=(2, 7)):
        return (
            "a pass keeps the guesses up to the first wrong one, and corrects that"
        )


def _passes(symbols, wrong):
    """The symbols of each pass, if these places of the guess, from 1 on, are wrong."""
    ends = [0, *wrong, symbols]  # a pass ends with the symbol that it mends
    return [end - start for start, end in pairwise(ends)]


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
    answer, growth = number(answer), _growth(200)
    if abs(answer - growth) <= max(0.005, 0.1 * abs(growth)):
        return None
    if answer * growth <= 0:
        return (
            "dividing by more lets longer answers win: the difference is not zero"
        )
    return (
        "not the mean over the 200 words: count what is not 0, divide by the words"
    )


@functools.cache
def _growth(n):
    """How many sounds longer an answer gets at 3 than at 0, over the lesson's words."""
    words = list(load_pronunciation()["validation"])
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(0))
    source = pad_batch([LETTERS.encode(words[i]) for i in order[:n]])  # (B, S)
    model = load_pronouncer().model
    short, long = (
        beam_search(model, source, START, STOP, 40, beam=4, length_penalty=penalty)
        for penalty in (0.0, 3.0)
    )
    return ((long != 0).sum().item() - (short != 0).sum().item()) / n
