"""Speculative decoding: a cheap guess, which the model checks in one pass."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from tfbook.decoding.prepare import check_logits, decoding, prepare
from tfbook.model.cache import KeyValueCache


@decoding
def speculative_decode(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
    draft: Callable[[list[int]], list[int]],
) -> Int[Tensor, "1 T"]:
    """What `greedy_decode` returns for one row, but for rounding, in fewer passes.

    A pass reads n guessed symbols at once. It keeps those before the first that greedy
    decoding would not have chosen, and adds what it would have chosen there, or after
    them all: 1 to n + 1 symbols. Source: Stern et al. 2018, section 4, with any
    guesser, as in Leviathan et al. 2023. source: (1, S) ids, or None for a decoder
    alone. draft: called with the ids generated so far, a list without start; returns a
    list of ids that may come next, long, short or empty. A bad guess costs time, never
    a symbol. The rest, and the result (1, at most max_length), as in `greedy_decode`.
    Raises ValueError or TypeError naming the argument, and TypeError for a model whose
    layers keep a state that can't be cropped, as a recurrent one's.
    """
    memory, source_mask, prompt = prepare(model, source, start, stop, max_length)
    if len(prompt) > 1:
        raise ValueError(f"source and start must have 1 row, got {len(prompt)}")
    prompt, generated, cache = prompt[0].tolist(), [], KeyValueCache()
    while len(generated) < max_length and generated[-1:] != [stop]:
        # the last symbol of all is never read, so it needs no guess
        n_guessed = max_length - len(generated) - 1
        guess = check_guess(draft([*generated]), model)[:n_guessed]
        new = [*prompt, *generated, *guess][cache.length :]
        target = torch.tensor([new], device=next(model.parameters()).device)
        # (1, T, V)
        logits = model.decode(target, memory, source_mask, cache=cache)
        largest, best = logits[0, -len(guess) - 1 :].max(-1)  # (n + 1,) each
        check_logits(largest)
        for symbol, guessed in zip(best.tolist(), [*guess, None], strict=True):
            generated.append(symbol)
            if symbol != guessed or symbol == stop:
                break
        cache.crop(len(prompt) + len(generated) - 1)
    ids = torch.tensor([generated], device=target.device)  # (1, at most max_length)
    return ids.masked_fill(ids == stop, model.config.pad)


def check_guess(guess: list[int], model) -> list[int]:
    """The guess, a list of ids. Raises TypeError or ValueError for anything else."""
    if not isinstance(guess, list) or not all(type(i) is int for i in guess):
        raise TypeError(f"draft must return a list of int, got {guess!r:.60}")
    vocab = model.config.target_vocab
    if not all(0 <= i < vocab for i in guess):
        raise ValueError(
            f"draft must return ids from 0 to {vocab - 1}, got {guess!r:.60}"
        )
    return guess
