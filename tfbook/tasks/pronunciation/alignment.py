"""Which letters of a word make which of its sounds, learned from the dictionary alone.

The dictionary says that `shoe` is SH UW, not that `sh` is SH and `oe` is UW. A word
is cut into units, letters with the phones they make, and expectation-maximisation
finds how likely each unit is: guess, see how often each unit then occurs over all
ways to cut, guess again from those counts (Jiampojamarn et al. 2007).
"""

from collections import defaultdict
from math import log

from tfbook.model.checks import check_count, check_probability
from tfbook.tasks.pronunciation.counts import check_letters

# (letters, phones) of a unit → its weight at first: a cut into fewer units has fewer
# factors and so a higher probability, which is why large units start with small weights.
SHAPES = {(1, 1): 1.0, (1, 0): 0.1, (1, 2): 0.001, (2, 1): 0.001}


def align(pairs, rounds=6, sample=16_000, rarest=2e-5):
    r"""Cut each pair of letters and phones into its most likely units.

    pairs: (word, phones), as ("box", ("B", "AA", "K", "S")). The probabilities come
    from `rounds` rounds of `improve` on at most `sample` evenly spaced pairs; units
    less likely than `rarest` are then dropped. Returns one alignment for each pair,
    as in [("b", ("B",)), ("o", ("AA",)), ("x", ("K", "S"))], or None where no units fit.
    Raises ValueError when rounds or sample is below 1, or rarest not in [0, 1).
    """
    check_count("rounds", rounds)
    check_count("sample", sample)
    check_probability("rarest", rarest)
    pairs = list(pairs)
    sampled = pairs[:: -(-len(pairs) // sample) or 1]
    units = first_guess(sampled)
    for _ in range(rounds):
        units, _ = improve(sampled, units)
    units = {unit: p for unit, p in units.items() if p >= rarest}
    return [best_alignment(word, phones, units) for word, phones in pairs]


def align_words(words, alignments=None):
    """The alignments of all words and variants, without the pairs that no units fit.

    words: {word: variants}. alignments: what `align` returned for them, if it was
    called before. Raises ValueError for a word with letters other than a to z.
    """
    for word in words:
        check_letters(word)
    pairs = ((word, variant) for word in words for variant in words[word])
    alignments = align(pairs) if alignments is None else alignments
    return [alignment for alignment in alignments if alignment]


def first_guess(pairs):
    """{unit: probability} of all units that may occur in the pairs, weighted by `SHAPES`."""
    units = {
        unit: SHAPES[len(unit[0]), len(unit[1])]
        for word, phones in pairs
        for _, _, unit in arcs(word, phones)
    }
    return _normalised(units)


def improve(pairs, units):
    r"""One round of expectation-maximisation: $p'(u) \propto \sum_{\text{pairs}}
    \mathbb{E}_p[\text{number of } u]$, over all ways to cut a pair into units.

    units: {unit: probability}. Returns the new probabilities, and the log-likelihood of
    the pairs under the old, which never falls from round to round. A pair that no units
    fit is left out. Forward and backward sums as in Rabiner 1989.
    """
    counts, likelihood = defaultdict(float), 0.0
    for word, phones in pairs:
        lattice = [
            (start, end, unit, units[unit])
            for start, end, unit in arcs(word, phones)
            if unit in units
        ]
        forward, last = defaultdict(float, {0: 1.0}), _last(word, phones)
        for start, end, _, p in lattice:
            forward[end] += forward[start] * p
        if not forward[last]:
            continue
        likelihood += log(forward[last])
        backward = defaultdict(float, {last: 1.0 / forward[last]})
        for start, end, unit, p in reversed(lattice):
            backward[start] += p * backward[end]
            counts[unit] += forward[start] * p * backward[end]
    return _normalised(counts), likelihood


def best_alignment(word, phones, units):
    """The most likely way to cut one pair into units, or None (Viterbi 1967).

    units: {unit: probability}. Ties are always broken in the same way.
    """
    best, arrivals, last = defaultdict(float, {0: 1.0}), {}, _last(word, phones)
    for start, end, unit in arcs(word, phones):
        p = best[start] * units.get(unit, 0.0)
        if p > best[end]:
            best[end], arrivals[end] = p, (start, unit)
    if not best[last]:
        return None
    alignment, node = [], last
    while node:
        node, unit = arrivals[node]
        alignment.append(unit)
    return alignment[::-1]


def arcs(word, phones):
    """All units that may be part of a pair, as arcs (start, end, unit), left to right.

    The node after i letters and j phones has the number i (len(phones) + 1) + j.
    """
    letters, sounds = len(word), len(phones)
    result = []
    for i in range(letters):
        # a letter makes two phones at most, both before this node and after it
        before, after = 2 * i, 2 * (letters - i)
        for j in range(max(0, sounds - after), min(sounds, before) + 1):
            node = i * (sounds + 1) + j
            for width, n_phones in SHAPES:
                if i + width <= letters and j + n_phones <= sounds:
                    unit = (word[i : i + width], phones[j : j + n_phones])
                    end = node + width * (sounds + 1) + n_phones
                    result.append((node, end, unit))
    return result


def _last(word, phones):
    return len(word) * (len(phones) + 1) + len(phones)


def _normalised(counts):
    total = sum(counts.values())
    return {unit: count / total for unit, count in counts.items()}
