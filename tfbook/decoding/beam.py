"""Beam search: several sequences grown side by side."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from tfbook.decoding.prepare import decoding, prepare
from tfbook.fast.cache import BeamCache
from tfbook.model.checks import check_count, check_number


def beam_search(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
    beam: int = 4,
    length_penalty: float = 0.6,
) -> Int[Tensor, "B T"]:
    r"""The best-scoring sequence among `beam` that are extended side by side.

    A sequence of n symbols, stop included, scores $\log p / ((5 + n) / 6)^a$ with a =
    length_penalty (Wu et al. 2016, equation 14). One of the `beam` is always the greedy
    sequence, so the answer never scores below it, and beam=1 is greedy decoding. A
    row's search ends when none of its living sequences can still score best. Arguments,
    errors and result, (B, at most max_length), as in `greedy_decode`.
    """
    rows = search(
        model, source, start, stop, max_length, beam, length_penalty, n_best=1
    )
    pad = model.config.pad
    # greedy decoding, too, has a pad in the place of the stop
    best = [F.pad(hypotheses[0].ids, (0, 1), value=pad) for hypotheses in rows]
    return pad_sequence(best, True, pad)[:, :max_length]  # (B, at most max_length)


def beam_search_nbest(
    model,
    source: Tensor | None,
    start: int | list | tuple | Tensor,
    stop: int,
    max_length: int,
    beam: int = 4,
    length_penalty: float = 0.6,
) -> list[list[tuple[Int[Tensor, " T"], float]]]:
    """The best sequences that a beam search finishes, the most probable first.

    For each row of the batch a list of at most `beam` pairs (ids, log-probability): the
    best by the score of `beam_search`, in the order of their log-probabilities. ids
    hold neither start nor stop; the log-probability is that of the whole sequence, stop
    included, in nats, and not divided by anything. A row's search ends when none of its
    living sequences can still be among these. Arguments and errors as in `beam_search`:
    source (B, S).
    """
    rows = search(
        model, source, start, stop, max_length, beam, length_penalty, n_best=beam
    )
    return [
        sorted(
            ((h.ids, h.log_probability) for h in hypotheses),
            key=lambda pair: pair[1],
            reverse=True,
        )
        for hypotheses in rows
    ]


class Hypothesis(NamedTuple):
    """A finished sequence: what it scores, and its ids, (T,), without the stop."""

    score: float
    log_probability: float
    ids: Tensor


@decoding
def search(
    model, source, start, stop, max_length, beam, length_penalty, n_best
) -> list[list[Hypothesis]]:
    """For each row the n_best hypotheses of a beam search, the highest score first."""
    check_count("beam", beam)
    check_number("length_penalty", length_penalty)
    memory, source_mask, prefix = prepare(model, source, start, stop, max_length)
    if not abs(length_penalty) * math.log(5 + max_length) < 700:
        raise ValueError(
            "length_penalty must leave ((5 + max_length) / 6) ** length_penalty within "
            f"the range of a float, got {length_penalty} and max_length={max_length}"
        )
    beams = Beams(prefix, beam, n_best, length_penalty, max_length)
    cache, new = BeamCache(beam), prefix.repeat_interleave(beam, dim=0)
    if memory is not None:
        memory = memory.repeat_interleave(beam, dim=0)  # (B·beam, S, d_model)
    if source_mask is not None:  # (B·beam, 1, 1, S)
        source_mask = source_mask.repeat_interleave(beam, dim=0)
    while True:
        # (B·beam, T, V)
        logits = model.decode(new, memory, source_mask, cache=cache)
        parents = beams.extend(logits[:, -1], stop)  # (B·beam,)
        if not beams.rows:
            return beams.finished
        if len(parents) < len(new):  # the search goes on for fewer rows
            memory = None if memory is None else memory[parents]
            source_mask = None if source_mask is None else source_mask[parents]
        cache.select(parents)
        new = beams.ids[:, -1:]  # (B·beam, 1)


class Beams:
    """The `beam` living sequences of each row, and the n_best that have finished.

    rows: those whose search goes on, B of them, by their number in the batch. ids:
    (B·beam, length), their living sequences; scores: (B, beam), the log-probabilities
    of these, -inf in a place without any. finished: for each row of the batch its
    hypotheses, the highest score first.
    """

    def __init__(self, prefix, beam, n_best, length_penalty, max_length):
        self.n_best, self.max_length = n_best, max_length
        self.length_penalty = length_penalty
        self.rows = list(range(len(prefix)))
        self.finished = [[] for _ in self.rows]
        self.ids = prefix.new_empty(len(prefix) * beam, 0, dtype=torch.int64)
        # the sequences of a row start out the same: only the first counts
        start = torch.tensor([0.0] + [-math.inf] * (beam - 1), device=prefix.device)
        self.scores = start.repeat(len(prefix), 1)  # (B, beam)
        # ranks the greedy sequence first, for as long as it lives
        self.bonus = torch.full_like(self.scores[:, :1], math.inf)  # (B, 1)

    def extend(self, logits: Float[Tensor, "N V"], stop: int) -> Int[Tensor, " M"]:
        """Append one symbol to the sequences, from logits (B·beam, V).

        Those that end with stop are finished, and at max_length all; the others live
        on, until their row is dropped. Returns which old sequence each new one
        continues, (B·beam,) of the rows that are left. Raises ValueError for logits
        that hold nan, or nothing finite.
        """
        scores, parents, symbols = self._best_continuations(logits)
        grown = self.ids[parents], symbols[..., None]  # (B, beam, …)
        ids = torch.cat(grown, dim=-1)  # (B, beam, length)
        stopped, at_limit = symbols == stop, ids.size(-1) == self.max_length
        ended = (stopped | at_limit) & (scores > -math.inf)  # (B, beam)
        values, with_stop = scores.tolist(), stopped.tolist()
        for i, j in ended.nonzero().tolist():
            self._finish(i, values[i][j], ids[i, j], with_stop[i][j])
        self.scores = scores.masked_fill(ended, -math.inf)  # (B, beam)
        self.bonus = self.bonus.masked_fill(ended[:, :1], 0.0)  # (B, 1)
        self.ids = ids.flatten(0, 1)  # (B·beam, length)
        return self._drop_rows(parents).flatten()  # (B·beam,)

    def _best_continuations(self, logits):
        """Of all continuations of a row the `beam` most probable, among them in any
        case that of greedy decoding, which comes first.
        """
        n_rows, beam = self.scores.shape
        wide = torch.promote_types(logits.dtype, torch.float32)
        logits = logits.to(wide).view(n_rows, beam, -1)  # (B, beam, V)
        total = self.scores[..., None] + logits.log_softmax(-1)  # (B, beam, V)
        total = total.flatten(1)  # (B, beam·V)
        greedy = logits[:, 0].argmax(-1, keepdim=True)  # (B, 1)
        _, best = total.scatter_add(1, greedy, self.bonus.to(total)).topk(beam)
        first = beam * torch.arange(n_rows, device=best.device)  # (B,)
        parents = first[:, None] + best // logits.size(-1)  # (B, beam)
        return total.gather(1, best), parents, best % logits.size(-1)

    def _divisor(self, n):
        return ((5 + n) / 6) ** self.length_penalty

    def _finish(self, i, log_probability, ids, with_stop):
        score = log_probability / self._divisor(len(ids))
        ids = ids[:-1] if with_stop else ids
        hypotheses = self.finished[self.rows[i]]
        hypotheses.append(Hypothesis(score, log_probability, ids))
        hypotheses.sort(key=lambda each: each.score, reverse=True)
        del hypotheses[self.n_best :]

    def _drop_rows(self, parents):
        best = self.scores.amax(dim=1).tolist()
        kept = [i for i, score in enumerate(best) if self._can_improve(i, score)]
        if len(kept) < len(self.rows):
            ids = self.ids.view(*parents.shape, -1)[kept]  # (B, beam, length)
            self.ids = ids.flatten(0, 1)  # (B·beam, length)
            self.rows = [self.rows[i] for i in kept]
            self.scores, self.bonus = self.scores[kept], self.bonus[kept]
            parents = parents[kept]  # (B, beam)
        return parents

    def _can_improve(self, i, log_probability):
        """Whether a living sequence of row i can still be among the n_best.

        Its log-probability only falls from here on; what divides it is largest at the
        next symbol or at the last.
        """
        if math.isnan(log_probability):
            raise ValueError("model must give finite logits, got nan")
        hypotheses = self.finished[self.rows[i]]
        if len(hypotheses) < self.n_best:
            return log_probability > -math.inf
        n = self.ids.size(1)
        divisor = max(self._divisor(n + 1), self._divisor(self.max_length))
        return log_probability / divisor > hypotheses[-1].score
