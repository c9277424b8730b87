"""A language model that counts which id followed the last few ids, and how often."""

from collections import defaultdict
from math import log

import torch

from tfbook.decoding.stepwise import draw
from tfbook.model.checks import check_count
from tfbook.tasks.pronunciation.ngrams import KneserNey


class TokenNGrams:
    """How likely an id is after the order − 1 before it, with Kneser-Ney smoothing.

    ids: a list, the text to count in. order: from 1 to 8. vocab_size: the number of ids;
    each is counted once more, after id 0, so that none is impossible. Raises ValueError
    for ids outside the vocabulary, TypeError or ValueError unless vocab_size is a count,
    and what `KneserNey` raises.
    """

    def __init__(self, ids, order, vocab_size):
        check_count("vocab_size", vocab_size)
        self.vocab_size = vocab_size
        once = [self._write([0, i]) for i in range(vocab_size)]
        self.model = KneserNey([self._write(ids), *once], order)
        self.followers = defaultdict(str)
        for text in self.model.probabilities:
            self.followers[text[:-1]] += text[-1]

    def _write(self, ids):
        if ids and not 0 <= min(ids) <= max(ids) < self.vocab_size:
            raise ValueError(
                f"ids must lie below {self.vocab_size}, got {min(ids)} to {max(ids)}"
            )
        return "".join(map(chr, ids))  # as `KneserNey` reads: a character a symbol

    def surprises(self, ids):
        """The surprisal of each id but the first, in nats: a list of N - 1."""
        text = self._write(ids)
        longest = self.model.order - 1
        return [
            -log(self.model.probability(text[t], text[max(0, t - longest) : t]))
            for t in range(1, len(text))
        ]

    def logits(self, ids):
        """The log-probabilities of the next id after ids, a list: (1, V)."""
        history = self.model.context(self._write(ids[-self.model.order :]))
        chances = torch.ones(self.vocab_size)  # (V,)
        # no history, then ever longer ones
        for start in range(len(history), -1, -1):
            known = history[start:]
            followers = self.followers[known]
            chances *= self.model.backoffs[known]
            chances[[ord(c) for c in followers]] = torch.tensor(
                [self.model.probabilities[known + c] for c in followers]
            )
        return chances.log()[None]  # (1, V)

    def sample(self, start, max_length, generator=None, **settings):
        """max_length ids that continue start, a list; returns a list without start.

        generator and settings: as `tfbook.decoding.sample` takes them, with its errors.
        """
        check_count("max_length", max_length)
        ids = list(start)
        for _ in range(max_length):
            ids += draw(self.logits(ids), generator=generator, **settings).tolist()
        return ids[len(start) :]
