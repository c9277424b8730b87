"""Speculative decoding: a cheap guess, which the model checks in one pass."""

import torch

from tfbook.decoding.prepare import decoding, prepare
from tfbook.model.cache import KeyValueCache


@decoding
def speculative_decode(model, source, start, stop, max_length, draft):
    r"""What `greedy_decode` says of one row, but for rounding, in fewer passes: with guesses
    $g_1, \ldots, g_n$ read at once, all up to the first $g_i \ne \arg\max_v p(v \mid
    y_{<t}, g_{<i}, x)$ are kept, and that symbol itself instead of the wrong one.

    Source: Stern et al. 2018, section 3; for samples Leviathan et al. 2023. source: (1,
    S) ids, or None for a decoder alone. draft: called with the ids said so far, a list
    without start; returns a list of ids that may come next, long, short or empty. A bad
    guess costs time, never a symbol. The rest, and the result (1, at most max_length), as
    in `greedy_decode`. Raises ValueError or TypeError naming the argument, also for a
    model whose cache can't be cropped, as a recurrent one's.
    """
    memory, source_mask, prefix = prepare(model, source, start, stop, max_length)
    if len(prefix) > 1:
        raise ValueError(f"source and start must have 1 row, got {len(prefix)}")
    first, said, cache = prefix[0].tolist(), [], KeyValueCache()
    while len(said) < max_length and said[-1:] != [stop]:
        # of the last symbol of all nothing follows
        guess = check_guess(draft([*said]), model)[: max_length - len(said) - 1]
        new = torch.tensor([[*first, *said, *guess][cache.length :]]).to(prefix)
        with torch.inference_mode():
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
    """The guess, a list of ids. Raises ValueError for anything else."""
    vocab = model.config.target_vocab
    if not isinstance(guess, list) or not all(i in range(vocab) for i in guess):
        raise ValueError(
            f"draft must return a list of ids from 0 to {vocab - 1}, got {guess!r:.60}"
        )
    return guess
