"""Pronouncing by counting what followed what: n-grams of letters joined to their sounds.

Before neural networks this was the best there was, and it still is hard to beat.
"""

from collections import Counter
from math import log

from tfbook.model.checks import check_count
from tfbook.tasks.pronunciation.alignment import align_words
from tfbook.tasks.pronunciation.counts import ALPHABET, check_letters

START, STOP = "<", ">"
FIRST_CODE = 0x100  # units are written as characters from here on


class KneserNey:
    r"""How likely a symbol is after the symbols before it, of which at most order − 1
    count: interpolated Kneser-Ney smoothing with three discounts (Chen and Goodman
    1999),

    $$p(u \mid h) = \frac{c(hu) - D(c(hu))}{\sum_v c(hv)} + b(h)\, p(u \mid h')$$

    where h' is h without its first symbol, and b(h) makes the sum over u one. Below
    the highest order c(hu) is not how often hu was seen, but after how many different
    symbols, unless it starts the text.

    texts: strings, one character a symbol, each from `START` to `STOP`. Raises
    ValueError when there are none, or order is not from 1 to 8.
    """

    def __init__(self, texts, order):
        check_count("order", order)
        if order > 8:
            raise ValueError(f"order must be from 1 to 8, got {order}")
        if not texts:
            raise ValueError(f"texts must not be empty, got {texts!r}")
        self.order = order
        self.chances, self.backoffs = {}, {}
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
        self.vocabulary = [text for text in self.chances if len(text) == 1]

    def _smooth(self, counts, discounts):
        """Takes in the texts of one length; the shorter ones came before."""
        totals, freed = Counter(), Counter()
        for text, count in counts.items():
            totals[text[:-1]] += count
            freed[text[:-1]] += discounts[min(count, 3)]
        for history, total in totals.items():
            self.backoffs[history] = freed[history] / total
        for text, count in counts.items():
            history = text[:-1]
            own = (count - discounts[min(count, 3)]) / totals[history]
            lower = self.chances.get(text[1:], 0.0)
            self.chances[text] = own + self.backoffs[history] * lower

    def known(self, history):
        """The end of a history that makes a difference to what may follow."""
        history = history[max(0, len(history) - self.order + 1) :]
        while history not in self.backoffs:
            history = history[1:]
        return history

    def probability(self, symbol, history):
        """How likely a symbol of the vocabulary comes after a string, from 0 to 1.

        Raises ValueError for a symbol that no text has.
        """
        if symbol not in self.chances:
            raise ValueError(f"symbol must be in the texts, got {symbol!r}")
        history, weight = self.known(history), 1.0
        while history + symbol not in self.chances:
            weight *= self.backoffs[history]
            history = history[1:]
        return weight * self.chances[history + symbol]


class LetterNGrams:
    """Says a word by its likeliest cut into units of letters and phones, each judged by
    the order − 1 units before it: a joint-sequence model (Bisani and Ney 2008), which
    Phonetisaurus runs as a transducer (Novak et al. 2016).

    words: {word: variants}. order: from 1, each unit by itself, to 8. alignments: what
    `align` made of all pairs of word and variant; without it, it is called, which
    takes most of the time. Raises ValueError when order is out of range, a word has
    other letters than a to z, or one of those is in no unit by itself.
    """

    def __init__(self, words, order=7, alignments=None):
        alignments = align_words(words, alignments)
        units = sorted({unit for alignment in alignments for unit in alignment})
        silent = sorted(set(ALPHABET) - {letters for letters, _ in units})
        if silent:
            raise ValueError(
                f"words must show a sound for every letter, got none for {silent}"
            )
        codes = {unit: chr(FIRST_CODE + i) for i, unit in enumerate(units)}
        self.phones = {code: phones for (_, phones), code in codes.items()}
        self.codes = {}
        for (letters, _), code in codes.items():
            self.codes.setdefault(letters, []).append(code)
        self.model = KneserNey(
            [START + "".join(map(codes.get, cut)) + STOP for cut in alignments],
            order,
        )

    def pronounce(self, word, beam=16):
        """A word of the letters a to z to a list of phones.

        beam: how many beginnings stay in the running after each letter; of those
        alike in all that matters for what follows, the best alone. Raises ValueError
        for another letter, or a beam below 1.
        """
        check_letters(word)
        check_count("beam", beam)
        ways = [{} for _ in range(len(word) + 1)]
        ways[0][self.model.known(START)] = (0.0, "")
        for at in range(len(word)):
            best = sorted(ways[at].items(), key=lambda way: way[1], reverse=True)
            for end in range(at + 1, min(at + 2, len(word)) + 1):
                for unit in self.codes.get(word[at:end], ()):
                    for history, (score, said) in best[:beam]:
                        chance = self.model.probability(unit, history)
                        way = score + log(chance), said + unit
                        after = self.model.known(history + unit)
                        ways[end][after] = max(ways[end].get(after, way), way)
        _, said = max(
            (score + log(self.model.probability(STOP, history)), said)
            for history, (score, said) in ways[-1].items()
        )
        return [phone for unit in said for phone in self.phones[unit]]


def _counts(texts, length):
    """How often each string of a length occurs, `START` by itself aside."""
    least = max(1, length - 1)
    return Counter(
        text[end - length + 1 : end + 1]
        for text in texts
        for end in range(least, len(text))
    )


def _discounts(counts):
    """What to take off counts of 0, 1, 2 and of 3 or more, from how many there are of
    each (Chen and Goodman 1999); half the count where that can't be told.
    """
    often = Counter(counts.values())
    if not all(often[count] for count in (1, 2, 3, 4)):
        return 0, 0.5, 1.0, 1.5
    share = often[1] / (often[1] + 2 * often[2])
    found = [k - (k + 1) * share * often[k + 1] / often[k] for k in (1, 2, 3)]
    return 0, *(min(max(x, 0.1), k) for k, x in enumerate(found, 1))
