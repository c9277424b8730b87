"""From a model that scores the next symbol to whole sequences: greedy, beam search,
sampling.

A model here is anything with `decode(target, memory, source_mask, cache=...)`,
`config.pad` and `config.max_length`, and with `encode(source)` unless it is a
decoder alone (source=None).
"""

import functools
import math

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from tfbook.model.attention import KeyValueCache
from tfbook.model.checks import check_count, check_ids, check_number
from tfbook.model.masks import padding_mask


def _decoding(function):
    """Decode without gradients and with dropout off, and leave the model in the
    mode it was in.
    """

    @functools.wraps(function)
    def decode(model, *arguments, **keywords):
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                return function(model, *arguments, **keywords)
        finally:
            model.train(training)

    return decode


def greedy_decode(model, source, start, stop, max_length, *, cache=True):
    """At each step the most probable symbol: $y_t = \\arg\\max_v p(v \\mid y_{<t},
    x)$.

    source: (B, S) ids, or None for a decoder alone. start: an id, or a prefix of
    ids, (T,) or (B, T). Ends when every row has produced stop, or after max_length
    new symbols. cache=False recomputes everything at each step, for comparison.
    Returns ids (B, at most max_length), without start; stop and all after it are
    pad. Raises ValueError or TypeError for bad arguments.
    """
    return _extend(
        model,
        source,
        start,
        stop,
        max_length,
        lambda logits: logits.argmax(-1),
        cache,
    )


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
    r"""At each step a symbol drawn from $\text{softmax}(\text{logits} /
    \text{temperature})$.

    top_k: only from the k most probable symbols (Fan et al. 2018); top_p: only from
    the fewest symbols whose probabilities add up to at least p (Holtzman et al.
    2020). generator: a `torch.Generator`, for repeatable draws. The rest, and what
    is returned, as in `greedy_decode`.
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

    def draw(logits):  # (B, V)
        probabilities = (logits.float() / temperature).softmax(-1)  # (B, V)
        ranked, order = probabilities.sort(-1, descending=True)  # (B, V) twice
        if top_k is not None:
            ranked[:, top_k:] = 0.0
        if top_p is not None:
            ranked[ranked.cumsum(-1) - ranked >= top_p] = (
                0.0  # what comes before already suffices
            )
        return order.gather(
            -1, torch.multinomial(ranked, 1, generator=generator)
        ).squeeze(-1)

    return _extend(model, source, start, stop, max_length, draw, cache=True)


@_decoding
def _extend(model, source, start, stop, max_length, choose, cache):
    memory, source_mask, prefix = _prepare(model, source, start, max_length)
    new = prefix  # (B, T)
    remembered = KeyValueCache() if cache else None
    done = torch.zeros(len(prefix), dtype=torch.bool, device=prefix.device)
    produced = []
    for _ in range(max_length):
        logits = model.decode(new, memory, source_mask, cache=remembered)[
            :, -1
        ]  # (B, V)
        symbol = choose(logits)  # (B,)
        done = done | (symbol == stop)
        symbol = symbol.masked_fill(done, model.config.pad)
        produced.append(symbol)
        if done.all():
            break
        new = symbol[:, None] if cache else torch.cat((new, symbol[:, None]), dim=1)
    return torch.stack(produced, dim=1)  # (B, at most max_length)


def beam_search(model, source, start, stop, max_length, beam=4, length_penalty=0.6):
    r"""The best of several sequences grown side by side.

    A sequence of n symbols, stop included, scores $\log p / ((5 + n) / 6)^a$ with a
    = length_penalty (Wu et al. 2016, equation 14). beam=1 is greedy decoding.
    Arguments and result as in `greedy_decode`.
    """
    found = beam_search_nbest(
        model, source, start, stop, max_length, beam, length_penalty
    )
    # one place for the stop, which is a pad in what greedy decoding returns, too
    best = [
        F.pad(hypotheses[0][0], (0, 1), value=model.config.pad)
        for hypotheses in found
    ]
    return pad_sequence(best, True, model.config.pad)[
        :, :max_length
    ]  # (B, at most max_length)


@_decoding
def beam_search_nbest(
    model, source, start, stop, max_length, beam=4, length_penalty=0.6
):
    """All that a beam search found: for each row of the batch a list of at most
    `beam` pairs (ids, log-probability), best score first.

    ids hold neither start nor stop; the log-probability is of the whole sequence,
    stop included, and not divided by anything. Arguments as in `beam_search`.
    """
    check_count("beam", beam)
    check_number("length_penalty", length_penalty)
    memory, source_mask, prefix = _prepare(model, source, start, max_length)
    n_rows, cache = len(prefix), KeyValueCache()
    first = (
        torch.arange(n_rows, device=prefix.device)[:, None] * beam
    )  # (B, 1), a row's first beam
    owner = (
        (first // beam).expand(-1, beam).flatten()
    )  # (B·beam,), the row each beam belongs to
    memory = None if memory is None else memory[owner]
    source_mask = None if source_mask is None else source_mask[owner]
    new, ids = prefix[owner], prefix.new_empty(n_rows * beam, 0)
    scores = torch.full((n_rows, beam), float("-inf"), device=prefix.device)
    scores[:, 0] = (
        0.0  # the beams of a row start equal: all but one are worth nothing
    )
    finished = [[] for _ in range(n_rows)]
    for length in range(1, max_length + 1):
        logits = model.decode(new, memory, source_mask, cache=cache)[:, -1].float()
        total = scores[:, :, None] + logits.log_softmax(-1).view(
            n_rows, beam, -1
        )  # (B, beam, V)
        # twice as many candidates as beams: even if `beam` of them stop, `beam` others live on
        best, flat = total.flatten(1).topk(
            min(2 * beam, total[0].numel())
        )  # (B, 2·beam)
        rows, symbol = first + flat // total.size(-1), flat % total.size(-1)
        stops = symbol == stop
        for b, rank in (stops & best.isfinite())[:, :beam].nonzero().tolist():
            if len(finished[b]) < beam:
                finished[b].append(
                    (ids[rows[b, rank]], float(best[b, rank]), length)
                )
        if all(len(hypotheses) == beam for hypotheses in finished):
            break
        scores, kept = best.masked_fill(stops, float("-inf")).topk(
            beam
        )  # (B, beam)
        rows, symbol = (
            x.gather(1, kept).flatten() for x in (rows, symbol)
        )  # (B·beam,) twice
        ids, new = torch.cat((ids[rows], symbol[:, None]), dim=1), symbol[:, None]
        cache.select(rows)
    for b, hypotheses in enumerate(
        finished
    ):  # what reached max_length without a stop
        if len(hypotheses) < beam:
            alive = zip(ids[owner == b], scores[b].tolist(), strict=True)
            hypotheses += [
                (kept, score, max_length)
                for kept, score in alive
                if score > -math.inf
            ]
        hypotheses.sort(
            key=lambda h: h[1] / ((5 + h[2]) / 6) ** length_penalty, reverse=True
        )
    return [
        [(ids, score) for ids, score, _ in hypotheses[:beam]]
        for hypotheses in finished
    ]


def _prepare(model, source, start, max_length):
    """The memory, its mask, and the prefix (B, T) on the model's device."""
    check_count("max_length", max_length)
    device = next(model.parameters()).device
    if not isinstance(start, int | list | tuple | torch.Tensor):
        raise TypeError(f"start must be an id or a prefix of ids, got {start!r}")
    prefix = torch.as_tensor(start, device=device)
    prefix = (
        prefix.reshape(1, -1) if prefix.dim() < 2 else prefix
    )  # (1, T) or (B, T)
    check_ids("start", prefix)
    if (
        prefix.size(1) + max_length - 1 > model.config.max_length
    ):  # the last symbol is not fed back
        raise ValueError(
            f"start and max_length must fit into the model's max_length="
            f"{model.config.max_length}, got {prefix.size(1)} and {max_length} symbols"
        )
    if source is None:
        return None, None, prefix
    memory = model.encode(source)  # (B, S, d_model)
    if len(prefix) not in (1, len(source)):
        raise ValueError(
            f"start must have 1 row or the source's {len(source)}, got {len(prefix)}"
        )
    return (
        memory,
        padding_mask(source, model.config.pad),
        prefix.expand(len(source), -1),
    )
