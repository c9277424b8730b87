"""Greedy decoding and sampling: one symbol after the other, never taken back."""

import torch

from tfbook.decoding.prepare import decoding, prepare
from tfbook.model.cache import KeyValueCache
from tfbook.model.checks import check_count, check_number


def greedy_decode(model, source, start, stop, max_length, *, cache=True):
    r"""At each step the most probable symbol: $\arg\max_v p(v \mid y_{<t}, x)$.

    source: (B, S) ids, or None for a decoder alone. start: an id, or a prefix of ids,
    (T,) or (B, T). Ends when every row has produced stop, or after max_length new
    symbols. cache=False recomputes everything at each step, for comparison. Returns ids
    (B, at most max_length), without start; stop and all after it are pad. Raises
    ValueError or TypeError naming the argument.
    """

    def best(logits):
        return logits.argmax(-1)  # (B,)

    return _extend(model, source, start, stop, max_length, best, cache)


def sample(
    model,
    source,
    start,
    stop,
    max_length,
    temperature=1.0,
    top_k=None,
    top_p=None,
    generator=None,
):
    r"""At each step a symbol drawn from $\text{softmax}(logits / temperature)$.

    top_k: only from the k most probable symbols (Fan et al. 2018); top_p: only from the
    fewest symbols whose probabilities add up to at least p (Holtzman et al. 2020).
    generator: a `torch.Generator`, for repeatable draws. The rest, and what is
    returned, as in `greedy_decode`: (B, at most max_length).
    """

    def choose(logits):
        return draw(logits, temperature, top_k, top_p, generator)  # (B,)

    candidates(torch.zeros(1, 1), temperature, top_k, top_p)  # checks, before work
    return _extend(model, source, start, stop, max_length, choose, cache=True)


def draw(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    """One id (B,) for each row of logits (B, V), with the chances of `candidates`."""
    chances, ids = candidates(logits, temperature, top_k, top_p)
    drawn = torch.multinomial(chances, 1, generator=generator)  # (B, 1)
    return ids.gather(-1, drawn)[:, 0]  # (B,)


def candidates(logits, temperature=1.0, top_k=None, top_p=None):
    """What may be drawn, the likeliest first: chances (B, V), zero for what is left
    out and not divided by their sum, and ids (B, V).

    logits: (B, V); the rest as in `sample`. Raises TypeError or ValueError naming the
    argument.
    """
    check_number("temperature", temperature)
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if top_p is not None:
        check_number("top_p", top_p)
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if top_k is not None:
        check_count("top_k", top_k)
    probabilities = (logits.float() / temperature).softmax(-1)  # (B, V)
    # (B, V) each
    chances, ids = probabilities.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        chances[:, top_k:] = 0.0
    if top_p is not None and top_p < 1:  # out goes what comes after enough
        chances[chances.cumsum(-1) - chances >= top_p] = 0.0
    return chances, ids


@decoding
def _extend(model, source, start, stop, max_length, choose, cache):
    memory, source_mask, new = prepare(model, source, start, stop, max_length)
    remembered = KeyValueCache() if cache else None
    going = torch.arange(len(new), device=new.device)  # (B,), rows not yet stopped
    found = new.new_full(
        (len(new), max_length), model.config.pad, dtype=torch.int64
    )
    for n in range(max_length):
        # (B, T, V)
        logits = model.decode(new, memory, source_mask, cache=remembered)
        symbol = choose(logits[:, -1])  # (B,)
        goes_on = symbol != stop  # (B,)
        if not goes_on.all():  # what has stopped costs nothing more
            rows = goes_on.nonzero()[:, 0]
            going, symbol, new = going[rows], symbol[rows], new[rows]
            memory = None if memory is None else memory[rows]
            source_mask = None if source_mask is None else source_mask[rows]
            if cache:
                remembered.select(rows)
        if len(going) == 0:
            break
        found[going, n] = symbol
        new = symbol[:, None] if cache else torch.cat((new, symbol[:, None]), dim=1)
    return found[:, : n + 1]  # (B, at most max_length)
