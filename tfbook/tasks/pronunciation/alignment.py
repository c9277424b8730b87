"""Which letters of a word made which of its sounds: nobody wrote it down, so it is learned.

The dictionary says that `shoe` is SH UW, not that `sh` is SH and `oe` is UW. A word
is cut into units, letters with the phones they make, and expectation-maximisation
finds how likely each unit is: guess, see how often each unit then occurs over all
ways to cut, guess again from those counts (Jiampojamarn et al. 2007).
"""

from collections import defaultdict
from math import log

from tfbook.model.checks import check_count, check_probability
from tfbook.tasks.pronunciation.counts import check_letters

# How many letters make how many phones, and how likely such a unit is at first: fewer
# units always look likelier, so that the large ones have to earn their place.
SHAPES = {(1, 1): 1.0, (1, 0): 0.1, (1, 2): 0.001, (2, 1): 0.001}


def align(pairs, rounds=6, sample=16_000, rarest=2e-5):
    r"""Cuts each pair of letters and phones into its most likely units.

    pairs: (word, phones), as ("box", ("B", "AA", "K", "S")). The probabilities come
    from so many rounds of `improve` on at most `sample` pairs, evenly chosen; units
    below `rarest` are then given up. Returns a list with one alignment a pair, as in
    [("b", ("B",)), ("o", ("AA",)), ("x", ("K", "S"))], or None where no units fit.
    Raises ValueError when rounds or sample is below 1, or rarest not in [0, 1).
    """
    check_count("rounds", rounds)
    check_count("sample", sample)
    check_probability("rarest", rarest)
    pairs = list(pairs)
    few = pairs[:: -(-len(pairs) // sample) or 1]
    units = first_guess(few)
    for _ in range(rounds):
        units, _ = improve(few, units)
    units = {unit: chance for unit, chance in units.items() if chance >= rarest}
    return [best_alignment(word, phones, units) for word, phones in pairs]


def align_words(words, alignments=None):
    """Each pair of a word and its variant cut into units of letters and phones, as `align`
    does it, without the pairs that no units fit: a list of alignments.

    words: {word: variants}; alignments: what `align` made of them before. Raises ValueError
    for a word with other letters than a to z.
    """
    for word in words:
        check_letters(word)
    pairs = ((word, variant) for word in words for variant in words[word])
    alignments = align(pairs) if alignments is None else alignments
    return [alignment for alignment in alignments if alignment]


def first_guess(pairs):
    """All units that the pairs might be made of → their probability by `SHAPES`."""
    units = {
        unit: SHAPES[len(unit[0]), len(unit[1])]
        for word, phones in pairs
        for _, _, unit in arcs(word, phones)
    }
    return _shares(units)


def improve(pairs, units):
    r"""One round of expectation-maximisation: $p'(u) \propto \sum_{\text{pairs}}
    \mathbb{E}_p[\text{number of } u]$, over all ways to cut a pair into units.

    units: {unit: probability}. Returns the new ones, and the log-likelihood of the
    pairs under the old, which never falls from round to round. A pair that no units
    fit counts for nothing. Forward and backward sums as in Rabiner 1989.
    """
    counts, likelihood = defaultdict(float), 0.0
    for word, phones in pairs:
        lattice = [
            (start, end, unit, units[unit])
            for start, end, unit in arcs(word, phones)
            if unit in units
        ]
        forward, last = defaultdict(float, {0: 1.0}), _last(word, phones)
        for start, end, _, chance in lattice:
            forward[end] += forward[start] * chance
        if not forward[last]:
            continue
        likelihood += log(forward[last])
        backward = defaultdict(float, {last: 1.0 / forward[last]})
        for start, end, unit, chance in reversed(lattice):
            after = chance * backward[end]
            backward[start] += after
            counts[unit] += forward[start] * after
    return _shares(counts), likelihood


def best_alignment(word, phones, units):
    """The likeliest way to cut one pair into units, or None (Viterbi 1967).

    units: {unit: probability}. Of equally likely ways the same one every time.
    """
    best, before, last = defaultdict(float, {0: 1.0}), {}, _last(word, phones)
    for start, end, unit in arcs(word, phones):
        chance = best[start] * units.get(unit, 0.0)
        if chance > best[end]:
            best[end], before[end] = chance, (start, unit)
    if not best[last]:
        return None
    alignment, at = [], last
    while at:
        at, unit = before[at]
        alignment.append(unit)
    return alignment[::-1]


def arcs(word, phones):
    """All units that may be part of a pair, each as (start, end, unit), left to right.

    The place after i letters and j phones has the number i (len(phones) + 1) + j.
    """
    letters, sounds = len(word), len(phones)
    found = []
    for i in range(letters):
        # two phones a letter at most, both in what is done and in what is left
        done, left = 2 * i, 2 * (letters - i)
        for j in range(max(0, sounds - left), min(sounds, done) + 1):
            at = i * (sounds + 1) + j
            for width, made in SHAPES:
                if i + width <= letters and j + made <= sounds:
                    unit = (word[i : i + width], phones[j : j + made])
                    found.append((at, at + width * (sounds + 1) + made, unit))
    return found


def _last(word, phones):
    return len(word) * (len(phones) + 1) + len(phones)


def _shares(counts):
    total = sum(counts.values())
    return {unit: count / total for unit, count in counts.items()}
