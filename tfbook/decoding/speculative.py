"""Speculative decoding: a cheap guess, which the model checks in one pass."""

import torch

from tfbook.decoding.prepare import decoding, prepare
from tfbook.model.cache import KeyValueCache


@decoding
def speculative_decode(model, source, start, stop, max_length, draft):
    """What `greedy_decode` says of one row, but for rounding, in fewer passes.

    A pass reads n guesses at once. It keeps those before the first that greedy
    decoding would not have said, and adds what it would have said there, or
    after them all: 1 to n + 1 symbols. Source: Stern et al. 2018, section 4,
    with any guesser, as in Leviathan et al. 2023. source: (1, S) ids, or None
    for a decoder alone. draft: called with the ids said so far, a list without
    start; returns a list of ids that may come next, long, short or empty. A bad
    guess costs time, never a symbol. The rest, and the result (1, at most
    max_length), as in `greedy_decode`. Raises ValueError or TypeError naming
    the argument, and TypeError for a model whose layers keep a state that can't
    be cropped, as a recurrent one's.
    """
    memory, source_mask, prefix = prepare(model, source, start, stop, max_length)
    if len(prefix) > 1:
        raise ValueError(f"source and start must have 1 row, got {len(prefix)}")
    first, said, cache = prefix[0].tolist(), [], KeyValueCache()
    while len(said) < max_length and said[-1:] != [stop]:
        # the last symbol of all is never read, so it needs no guess
        guess = check_guess(draft([*said]), model)[: max_length - len(said) - 1]
        new = torch.tensor([[*first, *said, *guess][cache.length :]]).to(prefix)
        # (1, T, V)
        logits = model.decode(new, memory, source_mask, cache=cache)
        best = logits[0, -len(guess) - 1 :].argmax(-1)  # (n + 1,)
        for symbol, guessed in zip(best.tolist(), [*guess, None], strict=True):
            said.append(symbol)
            if symbol != guessed or symbol == stop:
                break
        cache.crop(len(first) + len(said) - 1)
    found = torch.tensor([said], device=prefix.device)  # (1, at most max_length)
    return found.masked_fill(found == stop, model.config.pad)


def check_guess(guess, model):
    """The guess, a list of ids. Raises TypeError or ValueError for anything else."""
    if not isinstance(guess, list) or not all(type(i) is int for i in guess):
        raise TypeError(f"draft must return a list of int, got {guess!r:.60}")
    vocab = model.config.target_vocab
    if not all(0 <= i < vocab for i in guess):
        raise ValueError(
            f"draft must return ids from 0 to {vocab - 1}, got {guess!r:.60}"
        )
    return guess
