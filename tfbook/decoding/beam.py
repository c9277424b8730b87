"""Beam search: several sequences grown side by side."""

import math

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from tfbook.decoding.prepare import decoding, prepare
from tfbook.fast.cache import BeamCache
from tfbook.model.checks import check_count, check_number


def beam_search(model, source, start, stop, max_length, beam=4, length_penalty=0.6):
    r"""The best of several sequences grown side by side.

    A sequence of n symbols, stop included, scores $\log p / ((5 + n) / 6)^a$ with a =
    length_penalty (Wu et al. 2016, equation 14). beam=1 is greedy decoding, but for
    rounding. A row's search ends when `beam` of its sequences have stopped. Arguments,
    errors and result, (B, at most max_length), as in `greedy_decode`; also ValueError
    where the model gives no symbol a chance, as with NaN among its weights.
    """
    found = beam_search_nbest(
        model, source, start, stop, max_length, beam, length_penalty
    )
    pad = model.config.pad
    # a place for the stop, which greedy decoding returns as a pad, too
    best = [F.pad(hypotheses[0][0], (0, 1), value=pad) for hypotheses in found]
    return pad_sequence(best, True, pad)[:, :max_length]  # (B, at most max_length)


@decoding
def beam_search_nbest(
    model, source, start, stop, max_length, beam=4, length_penalty=0.6
):
    """All that a beam search found, best score first.

    For each row of the batch a list of at most `beam` pairs (ids, log-probability). ids
    hold neither start nor stop; the log-probability is of the whole sequence, stop
    included, in nats, and not divided by anything. Arguments as in `beam_search`:
    source (B, S).
    """
    check_count("beam", beam)
    check_number("length_penalty", length_penalty)
    memory, source_mask, prefix = prepare(model, source, start, stop, max_length)
    beams, cache = Beams(len(prefix), beam, prefix.device), BeamCache(beam)
    if memory is not None:
        memory = memory.repeat_interleave(beam, dim=0)  # (B·beam, S, d_model)
    if source_mask is not None:
        source_mask = source_mask.repeat_interleave(
            beam, dim=0
        )  # (B·beam, 1, 1, S)
    new = prefix.repeat_interleave(beam, dim=0)  # (B·beam, T)
    for _ in range(max_length):
        # (B·beam, T, V)
        logits = model.decode(new, memory, source_mask, cache=cache)
        rows = beams.grow(logits[:, -1], stop)  # (B·beam,)
        if not beams.searched:
            break
        if len(rows) < len(new):  # fewer sources are searched on
            memory = None if memory is None else memory[rows]
            source_mask = None if source_mask is None else source_mask[rows]
        cache.select(rows)
        new = beams.ids[:, -1:]  # (B·beam, 1)
    return beams.ranked(length_penalty)


class Beams:
    """`beam` living sequences for each row of a batch, and those that have stopped.

    searched: the rows whose search goes on, B of them. ids: (B·beam, length), their
    living sequences. scores: (B, beam), the log-probabilities of these. finished: for
    each row of all, (ids, log-probability, symbols with the stop).
    """

    def __init__(self, n_rows, beam, device):
        self.beam = beam
        self.searched = list(range(n_rows))
        self.ids = torch.empty(n_rows * beam, 0, dtype=torch.int64, device=device)
        # the beams of a row start equal: all but one are worth nothing
        self.scores = torch.full((n_rows, beam), -math.inf, device=device)
        self.scores[:, 0] = 0.0
        self.finished = [[] for _ in range(n_rows)]

    def grow(self, logits, stop):
        """One symbol more, from logits (B·beam, V); a row with `beam` finished
        sequences is searched no longer.

        Returns which of the old sequences each new one continues, (B·beam,).
        """
        wide = torch.promote_types(logits.dtype, torch.float32)
        step = logits.to(wide).log_softmax(-1)  # (B·beam, V)
        step = step.view(*self.scores.shape, -1)  # (B, beam, V)
        total = self.scores[:, :, None] + step  # (B, beam, V)
        # twice as many as beams: if `beam` of them stop, `beam` others live on
        n_candidates = min(2 * self.beam, total[0].numel())
        best, flat = largest(total.flatten(1), n_candidates)  # (B, 2·beam) each
        first = self.beam * torch.arange(len(best), device=best.device)  # (B,)
        rows = first[:, None] + flat // total.size(-1)  # (B, 2·beam)
        symbol = flat % total.size(-1)  # (B, 2·beam)
        stops = symbol == stop
        for b, rank in (stops & best.isfinite())[:, : self.beam].nonzero().tolist():
            hypotheses = self.finished[self.searched[b]]
            if len(hypotheses) < self.beam:
                ids = self.ids[rows[b, rank]]
                hypotheses.append((ids, float(best[b, rank]), len(ids) + 1))
        best = best.masked_fill(stops, -math.inf)  # (B, 2·beam)
        scores, kept = largest(best, self.beam)  # (B, beam) each
        going = [
            i
            for i, b in enumerate(self.searched)
            if len(self.finished[b]) < self.beam
        ]
        self.searched = [self.searched[i] for i in going]
        self.scores = scores[going]  # (B, beam), of fewer rows
        rows = rows.gather(1, kept)[going].flatten()  # (B·beam,)
        symbol = symbol.gather(1, kept)[going].view(-1, 1)  # (B·beam, 1)
        self.ids = torch.cat((self.ids[rows], symbol), dim=1)  # (B·beam, n)
        return rows

    def ranked(self, length_penalty):
        """For each row the best pairs (ids, log-probability), the living included."""

        def score(hypothesis):
            _, log_probability, n = hypothesis
            return log_probability / ((5 + n) / 6) ** length_penalty

        found = [list(hypotheses) for hypotheses in self.finished]
        for i, b in enumerate(self.searched):
            ids = self.ids[i * self.beam : (i + 1) * self.beam]
            alive = zip(ids, self.scores[i].tolist(), strict=True)
            found[b] += [(x, s, len(x)) for x, s in alive if s > -math.inf]
        answers = []
        for hypotheses in found:
            if not hypotheses:
                raise ValueError(
                    "model must give finite logits, got none for any next symbol"
                )
            best = sorted(hypotheses, key=score, reverse=True)[: self.beam]
            answers.append(
                [(ids, log_probability) for ids, log_probability, _ in best]
            )
        return answers


def largest(x, n):
    """The n largest numbers of each row, (B, n), and where they are, (B, n).

    Among equals the first, as argmax takes it: topk promises no order.
    """
    values, places = x.sort(dim=-1, descending=True, stable=True)
    return values[:, :n], places[:, :n]
