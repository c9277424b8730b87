"""Greedy decoding and sampling: one symbol after the other, never taken back."""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from tfbook.decoding.prepare import check_logits, decoding, prepare
from tfbook.model.cache import KeyValueCache
from tfbook.model.checks import check_count, check_number

FLOAT32 = torch.finfo(torch.float32)


def greedy_decode(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
    *,
    cache: bool = True,
) -> Int[Tensor, "B T"]:
    r"""At each step the most probable symbol: $\arg\max_v p(v \mid y_{<t}, x)$.

    source: (B, S) ids, or None for a decoder alone. start: an id, or a prefix of ids,
    (T,) or (B, T), without padding; the model's pad may be a symbol of it, as GPT-2's
    end of text is, wherever it can't be padding: in all rows alike, and at an end of a
    row only once. Ends when every row has produced stop, or after max_length new
    symbols. cache=False recomputes everything at each step, for comparison. Returns ids
    (B, at most max_length), without start; stop and all after it are pad. Raises
    TypeError or ValueError naming the argument, and ValueError for a model whose
    logits are not finite, as with nan among its weights.
    """

    def most_probable(logits):
        largest, symbols = logits.max(-1)  # (B,) each
        check_logits(largest)
        return symbols

    return _generate(model, source, start, stop, max_length, most_probable, cache)


def sample(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Int[Tensor, "B T"]:
    r"""At each step a symbol drawn from $\text{softmax}(logits / temperature)$.

    top_k: only from the k most probable symbols (Fan et al. 2018); top_p: only from the
    fewest symbols whose probabilities add up to at least p (Holtzman et al. 2020).
    generator: a `torch.Generator`, for repeatable draws. The rest, and what is
    returned, as in `greedy_decode`: (B, at most max_length).
    """

    def choose(logits):
        return draw(logits, temperature, top_k, top_p, generator)  # (B,)

    candidates(torch.zeros(1, 1), temperature, top_k, top_p)  # checks, before work
    return _generate(model, source, start, stop, max_length, choose)


def draw(
    logits: Float[Tensor, "B V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Int[Tensor, " B"]:
    """One id (B,) for each row of logits (B, V), with the probabilities of
    `candidates`.
    """
    probabilities, ids = candidates(logits, temperature, top_k, top_p)
    drawn = torch.multinomial(probabilities, 1, generator=generator)  # (B, 1)
    return ids.gather(-1, drawn)[:, 0]  # (B,)


def candidates(
    logits: Float[Tensor, "B V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> tuple[Float[Tensor, "B V"], Int[Tensor, "B V"]]:
    """What may be drawn, the most probable first: probabilities (B, V), zero for what
    is left out and not divided by their sum, and ids (B, V).

    logits: (B, V); the rest as in `sample`. Raises TypeError or ValueError naming the
    argument.
    """
    check_number("temperature", temperature)
    if not 0 < temperature <= FLOAT32.max:
        raise ValueError(
            f"temperature must be positive and finite, got {temperature}"
        )
    if top_p is not None:
        check_number("top_p", top_p)
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if top_k is not None:
        check_count("top_k", top_k)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    largest = logits.amax(-1, keepdim=True)  # (B, 1)
    check_logits(largest)
    # at the smallest normal float32 all but the largest have long got probability 0,
    # and a smaller one might be rounded to 0
    scaled = (logits - largest) / max(temperature, FLOAT32.tiny)  # (B, V)
    # (B, V) each
    probabilities, ids = scaled.softmax(-1).sort(
        dim=-1, descending=True, stable=True
    )
    if top_k is not None:
        probabilities[:, top_k:] = 0.0
    if top_p is not None and top_p < 1:  # out goes what comes after enough
        before = probabilities.cumsum(-1)[:, :-1]  # (B, V - 1)
        probabilities[:, 1:].masked_fill_(before >= top_p, 0.0)
    return probabilities, ids


@decoding
def _generate(model, source, start, stop, max_length, choose, use_cache=True):
    memory, source_mask, new = prepare(model, source, start, stop, max_length)
    cache = KeyValueCache() if use_cache else None
    unfinished = torch.arange(len(new), device=new.device)  # (B,)
    generated = new.new_full(
        (len(new), max_length), model.config.pad, dtype=torch.int64
    )
    for n in range(max_length):
        # (B, T, V)
        logits = model.decode(new, memory, source_mask, cache=cache)
        symbols = choose(logits[:, -1])  # (B,)
        if stop in symbols.tolist():  # what has stopped costs nothing more
            rows = (symbols != stop).nonzero()[:, 0]
            if len(rows) == 0:
                break
            unfinished, symbols, new = unfinished[rows], symbols[rows], new[rows]
            memory = None if memory is None else memory[rows]
            source_mask = None if source_mask is None else source_mask[rows]
            if cache is not None:
                cache.select(rows)
        generated[unfinished, n] = symbols
        last = symbols[:, None]  # (B, 1)
        new = last if use_cache else torch.cat((new, last), dim=1)
    return generated[:, : n + 1]  # (B, at most max_length)
