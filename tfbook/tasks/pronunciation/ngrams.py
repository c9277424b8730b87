"""Joint-sequence n-grams: counts of units of letters with the phones that they make.

The best method before neural networks, and still hard to beat.
"""

from collections import Counter
from itertools import product
from math import inf, log

from tfbook.model.checks import check_count
from tfbook.tasks.pronunciation.alignment import align_words
from tfbook.tasks.pronunciation.counts import ALPHABET, check_letters

START, STOP = "<", ">"
FIRST_CODE = 0x100  # units are written as characters from here on


class KneserNey:
    r"""The probability of a symbol after at most order − 1 others: interpolated
    Kneser-Ney smoothing with three discounts (Chen and Goodman 1999),

    $$p(u \mid h) = \frac{c(hu) - D(c(hu))}{\sum_v c(hv)} + b(h)\, p(u \mid h')$$

    where h' is h without its first symbol, and b(h) makes the sum over u one. Below
    the highest order c(hu) counts the different symbols before hu, not the occurrences
    of hu, unless hu begins the text.

    texts: strings, one character for each symbol, from `START` to `STOP`. Raises
    ValueError when there are none, or order is not from 1 to 8.
    """

    def __init__(self, texts, order):
        check_count("order", order)
        if order > 8:
            raise ValueError(f"order must be from 1 to 8, got {order}")
        if not texts:
            raise ValueError(f"texts must not be empty, got {texts!r}")
        self.order = order
        self.probabilities, self.backoffs = {}, {}
        counts = _counts(texts, 1)
        for length in range(1, order + 1):
            longer = _counts(texts, length + 1) if length < order else {}
            before = Counter(text[1:] for text in longer)
            # nothing comes before START, and nothing longer is counted than order
            counts = {
                text: before.get(text, count) for text, count in counts.items()
            }
            self._smooth(counts, _discounts(counts) if length > 1 else (0,) * 4)
            counts = longer
        self.vocabulary = [text for text in self.probabilities if len(text) == 1]

    def _smooth(self, counts, discounts):
        """Add the n-grams of one length; the shorter ones are there already."""
        totals, discounted = Counter(), Counter()
        for text, count in counts.items():
            totals[text[:-1]] += count
            discounted[text[:-1]] += discounts[min(count, 3)]
        for history, total in totals.items():
            self.backoffs[history] = discounted[history] / total
        for text, count in counts.items():
            history = text[:-1]
            own = (count - discounts[min(count, 3)]) / totals[history]
            lower = self.probabilities.get(text[1:], 0.0)
            self.probabilities[text] = own + self.backoffs[history] * lower

    def context(self, history):
        """The end of a history on which the probability of the next symbol depends."""
        history = history[max(0, len(history) - self.order + 1) :]
        while history not in self.backoffs:
            history = history[1:]
        return history

    def probability(self, symbol, history):
        """The probability of a symbol of the vocabulary after a string.

        Raises ValueError for a symbol that is in no text.
        """
        if symbol not in self.probabilities:
            raise ValueError(f"symbol must be in the texts, got {symbol!r}")
        history, weight = self.context(history), 1.0
        while history + symbol not in self.probabilities:
            weight *= self.backoffs[history]
            history = history[1:]
        return weight * self.probabilities[history + symbol]


class LetterNGrams:
    """Pronounces a word by its most likely sequence of units of letters and phones, each
    conditioned on the order − 1 units before it: a joint-sequence model (Bisani and Ney
    2008), which Phonetisaurus runs as a transducer (Novak et al. 2016).

    words: {word: variants}. order: from 1, where units are independent, to 8.
    alignments: what `align` returns for all pairs of word and variant; by default it is
    called here, which takes most of the time. Raises ValueError when order is out of
    range, a word has letters other than a to z, or one of those is in no unit by itself.
    """

    def __init__(self, words, order=7, alignments=None):
        alignments = align_words(words, alignments)
        units = sorted({unit for alignment in alignments for unit in alignment})
        missing = sorted(set(ALPHABET) - {letters for letters, _ in units})
        if missing:
            raise ValueError(
                f"words must have a sound for every letter, got none for {missing}"
            )
        codes = {unit: chr(FIRST_CODE + i) for i, unit in enumerate(units)}
        self.phones = {code: phones for (_, phones), code in codes.items()}
        self.codes = {}
        for (letters, _), code in codes.items():
            self.codes.setdefault(letters, []).append(code)
        self.model = KneserNey(
            [
                START + "".join(map(codes.__getitem__, cut)) + STOP
                for cut in alignments
            ],
            order,
        )

    def pronounce(self, word, beam=16):
        """A word of the letters a to z to a list of phones.

        beam: how many hypotheses are kept after each letter; of those with the same
        context, only the best. Raises ValueError for any other letter, or a beam below 1.
        """
        check_letters(word)
        check_count("beam", beam)
        # after each letter {context: (log-probability, units)}
        beams = [{} for _ in range(len(word) + 1)]
        beams[0][self.model.context(START)] = (0.0, "")
        for start in range(len(word)):
            best = sorted(beams[start].items(), key=lambda h: h[1], reverse=True)
            for end in range(start + 1, min(start + 2, len(word)) + 1):
                for unit in self.codes.get(word[start:end], ()):
                    for context, (score, units) in best[:beam]:
                        p = self.model.probability(unit, context)
                        longer = score + log(p), units + unit
                        after = self.model.context(context + unit)
                        beams[end][after] = max(
                            beams[end].get(after, longer), longer
                        )
        _, units = max(
            (score + log(self.model.probability(STOP, context)), units)
            for context, (score, units) in beams[-1].items()
        )
        return [phone for unit in units for phone in self.phones[unit]]

    def log_probability(self, word, phones):
        """The log-probability, in nats, of a word together with its phones: that of the most
        likely sequence of units that spells the one and says the other, -inf without any.

        Raises ValueError for a letter other than a to z.
        """
        check_letters(word)
        phones = tuple(phones)
        # after i letters and j phones {context: log-probability}
        cells = {(0, 0): {self.model.context(START): 0.0}}
        for i, j in product(range(len(word)), range(len(phones) + 1)):
            for context, score in cells.pop((i, j), {}).items():
                for end, said, unit in self._units(word, i, phones, j):
                    p = self.model.probability(unit, context)
                    after = self.model.context(context + unit)
                    states = cells.setdefault((end, said), {})
                    states[after] = max(states.get(after, -inf), score + log(p))
        last = cells.get((len(word), len(phones)), {})
        scores = (s + log(self.model.probability(STOP, c)) for c, s in last.items())
        return max(scores, default=-inf)

    def _units(self, word, i, phones, j):
        """The units that go on after i letters and j phones, as (letters, phones, unit)."""
        for end in range(i + 1, min(i + 2, len(word)) + 1):
            for unit in self.codes.get(word[i:end], ()):
                said = j + len(self.phones[unit])
                if phones[j:said] == tuple(self.phones[unit]):
                    yield end, said, unit


def _counts(texts, length):
    """How often each n-gram of a length occurs, except `START` alone."""
    least = max(1, length - 1)
    return Counter(
        text[end - length + 1 : end + 1]
        for text in texts
        for end in range(least, len(text))
    )


def _discounts(counts):
    """The discounts of counts of 0, 1, 2 and of 3 or more, from the counts of counts (Chen
    and Goodman 1999); half the count where one of these is zero.
    """
    n = Counter(counts.values())
    if not all(n[count] for count in (1, 2, 3, 4)):
        return 0, 0.5, 1.0, 1.5
    y = n[1] / (n[1] + 2 * n[2])
    discounts = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
    return 0, *(min(max(d, 0.1), k) for k, d in enumerate(discounts, 1))
