"""Alignment against all ways to align, n-grams against their definition, and the beam
against all there is to find.
"""

import functools
import itertools
import math
import random
from collections import Counter

import pytest

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation.alignment import (
    SHAPES,
    align,
    arcs,
    best_alignment,
    first_guess,
    improve,
)
from tfbook.tasks.pronunciation.dictionary import PHONES, load_pronunciation
from tfbook.tasks.pronunciation.ngrams import START, STOP, KneserNey, LetterNGrams

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
EACH_ONCE = {
    letter: [(phone,)] for letter, phone in zip(ALPHABET, PHONES, strict=False)
}


def cuts(word, phones):
    """All ways to cut a pair into units, by the definition."""
    if not word and not phones:
        yield ()
    for letters, made in SHAPES:
        if letters <= len(word) and made <= len(phones):
            for rest in cuts(word[letters:], phones[made:]):
                yield ((word[:letters], phones[:made]), *rest)


def some_pairs(seed, count=23):
    """Short random pairs, of few letters and phones, so that units occur again."""
    rng = random.Random(seed)
    for _ in range(count):
        word = "".join(rng.choices("abc", k=rng.randint(1, 5)))
        yield word, tuple(rng.choices(["K", "S", "AA"], k=rng.randint(0, 7)))


def some_units(pairs, seed, dropped=0.2):
    rng = random.Random(seed)
    return {
        unit: rng.random() for unit in first_guess(pairs) if rng.random() >= dropped
    }


def chance(cut, units):
    return math.prod(units.get(unit, 0.0) for unit in cut)


def test_the_best_alignment_is_the_best_of_all():
    possible = 0
    for seed in range(20):
        pairs = list(some_pairs(seed))
        units = some_units(pairs, seed)
        for word, phones in pairs:
            best = max(
                (chance(cut, units) for cut in cuts(word, phones)), default=0
            )
            found = best_alignment(word, phones, units)
            if not best:
                assert found is None
                continue
            possible += 1
            assert tuple(found) in set(cuts(word, phones))
            assert chance(found, units) == pytest.approx(best, rel=1e-12)
    assert possible > 100


def test_arcs_are_the_units_of_all_cuts():
    """Neither more nor fewer; each cut's units, laid end to end, lead to the last place."""
    for word, phones in some_pairs(0):
        width, wanted = len(phones) + 1, set()
        for cut in cuts(word, phones):
            i = j = 0
            for unit in cut:
                start = i * width + j
                i, j = i + len(unit[0]), j + len(unit[1])
                wanted.add((start, i * width + j, unit))
        found = arcs(word, phones)
        assert wanted <= set(found) and len(set(found)) == len(found)
        assert all(start < end for start, end, _ in found)


def test_a_round_is_what_its_formula_says():
    """Each unit's expected number over all cuts, shared out; and the likelihood."""
    pairs = list(some_pairs(7))
    units = some_units(pairs, 7)
    counts, likelihood = Counter(), 0.0
    for word, phones in pairs:
        whole = sum(chance(cut, units) for cut in cuts(word, phones))
        if whole:
            likelihood += math.log(whole)
            for cut in cuts(word, phones):
                for unit in cut:
                    counts[unit] += chance(cut, units) / whole
    found, found_likelihood = improve(pairs, units)
    assert found_likelihood == pytest.approx(likelihood, rel=1e-12)
    for unit in units:
        wanted = counts[unit] / counts.total()
        assert found.get(unit, 0.0) == pytest.approx(wanted, abs=1e-12)


def test_likelihood_never_falls():
    """On real words; it starts far below, and the shares always sum to one."""
    train = load_pronunciation()["train"]
    words = list(train)[::1409]
    pairs = [(word, train[word][0]) for word in words]
    units, before, likelihoods = first_guess(pairs), -math.inf, []
    for _ in range(7):
        units, likelihood = improve(pairs, units)
        assert likelihood >= before - 1e-9
        assert sum(units.values()) == pytest.approx(1, rel=1e-12)
        before = likelihood
        likelihoods.append(likelihood)
    assert likelihoods[-1] > likelihoods[0] + len(pairs)


def test_alignments_make_sense():
    """They make up their pairs, one of them in order each; and x, ph and -e are learned."""
    train = load_pronunciation()["train"]
    words = [*list(train)[::211], "phone", "box", "w"]
    pairs = [(w, train.get(w, [None])[0]) for w in words]
    pairs[-3:] = [
        ("phone", ("F", "OW", "N")),
        ("box", ("B", "AA", "K", "S")),
        ("w", ("D", "AH", "B", "AH", "L", "Y", "UW")),
    ]
    found = align(pairs, rounds=5)
    assert len(found) == len(pairs) and found[-1] is None
    for (word, phones), cut in zip(pairs, found, strict=True):
        if cut is not None:
            assert "".join(letters for letters, _ in cut) == word
            assert sum((made for _, made in cut), ()) == phones
    assert sum(cut is None for cut in found) < len(found) / 20
    assert found[-2] == [("b", ("B",)), ("o", ("AA",)), ("x", ("K", "S"))]
    letters, made = zip(*found[-3], strict=True)
    assert [phones for phones in made if phones] == [("F",), ("OW",), ("N",)]
    assert letters[-1] in ("e", "ne")


def test_few_are_enough_to_learn_from():
    """At most `sample` pairs are learned from, evenly chosen; all are aligned."""
    pairs = [("ab", ("K", "S")), ("ba", ("S", "K"))] * 5
    assert align(pairs, sample=1)[0] is not None
    assert align(pairs, sample=3) == align(pairs)
    different = [("a", ("K",)), ("b", ("S",)), ("c", ("T",))]
    learned = [cut is not None for cut in align(different, sample=2)]
    assert learned == [True, False, True]
    assert align([]) == []


def some_texts(seed, count=41, symbols="abcd"):
    rng = random.Random(seed)
    return [
        START
        + "".join(rng.choices(symbols, [8, 4, 2, 1], k=rng.randint(0, 9)))
        + STOP
        for _ in range(count)
    ]


@pytest.mark.parametrize("order", range(1, 9))
def test_probabilities_sum_to_one(order):
    """After what was seen, what was not, and what can't be."""
    texts = some_texts(order)
    model = KneserNey(texts, order)
    assert sorted(model.vocabulary) == sorted({*"abcd", STOP})
    seen = {text[:end] for text in texts for end in range(1, len(text))}
    unseen = {
        "".join(x) for x in itertools.product("abcd" + START, repeat=3)
    } - seen
    assert len(unseen) > 50
    for history in [*seen, *unseen, "", "zz", "az", "dddddddddddd"]:
        chances = [
            model.probability(symbol, history) for symbol in model.vocabulary
        ]
        assert min(chances) > 0
        assert math.fsum(chances) == pytest.approx(1, abs=1e-12)


def occurrences(texts, part):
    """How often a string occurs, START by itself aside: it is given."""
    places = itertools.product(texts, range(max(map(len, texts))))
    return sum(text.startswith(part, start) for text, start in places)


def by_definition(texts, order):
    """Chen and Goodman's formulas, word for word, with no thought for time."""
    symbols = sorted({symbol for text in texts for symbol in text} - {START})
    every = [START, *symbols]

    @functools.cache
    def count(part):
        if len(part) == order or part[0] == START:
            return occurrences(texts, part)
        return sum(occurrences(texts, before + part) > 0 for before in every)

    @functools.cache
    def discounts(length):
        parts = {
            text[i : i + length]
            for text in texts
            for i in range(len(text) - length + 1)
        } - {START}
        n1, n2, n3, n4 = (sum(count(p) == k for p in parts) for k in (1, 2, 3, 4))
        if not n1 * n2 * n3 * n4:
            return 0, 0.5, 1.0, 1.5
        y = n1 / (n1 + 2 * n2)
        return 0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3

    def probability(symbol, history):
        history = history[len(history) - min(order - 1, len(history)) :]
        total = sum(count(history + s) for s in symbols)
        if not history:
            return count(symbol) / total
        shorter = probability(symbol, history[1:])
        if not total:
            return shorter
        taken = discounts(len(history) + 1)
        own = count(history + symbol) - taken[min(count(history + symbol), 3)]
        spread = sum(taken[min(count(history + s), 3)] for s in symbols)
        return (own + spread * shorter) / total

    return probability


@pytest.mark.parametrize("order", [2, 3])
def test_smoothing_is_its_definition(order):
    """With discounts from the counts, all of them within their bounds."""
    texts = some_texts(29, count=67)
    model, wanted = KneserNey(texts, order), by_definition(texts, order)
    for history in [
        "",
        START,
        "a",
        "d",
        "da",
        "dd",
        START + "a",
        START + "b",
        "bcd",
    ]:
        for symbol in model.vocabulary:
            assert model.probability(symbol, history) == pytest.approx(
                wanted(symbol, history), rel=1e-9
            ), (symbol, history)


def test_order_one_counts():
    texts = some_texts(3)
    counts = Counter("".join(text[1:] for text in texts))
    for symbol, count in counts.items():
        chance = KneserNey(texts, 1).probability(symbol, "whatever")
        assert chance == pytest.approx(count / counts.total(), rel=1e-12)


def test_order_one_says_each_letter_as_most_often():
    words = EACH_ONCE | {"ab": [("K", "T"), ("K", "S")], "ba": [("S", "K")]}
    alignments = [
        [(letter, (phone,)) for letter, phone in zip(word, variant, strict=True)]
        for word, variants in words.items()
        for variant in variants
    ]
    said = LetterNGrams(words, 1, alignments)
    assert said.pronounce("abba") == ["K", "S", "S", "K"]
    assert said.pronounce("") == []


@functools.cache
def some_words(step):
    """Real words, evenly chosen, and each letter once; with their alignments."""
    train = load_pronunciation()["train"]
    words = EACH_ONCE | {word: train[word] for word in list(train)[::step]}
    return words, align((word, v) for word, found in words.items() for v in found)


@functools.cache
def taught(order, step=1409):
    words, alignments = some_words(step)
    return words, LetterNGrams(words, order, alignments)


def cut_letters(word):
    if not word:
        yield ()
    for width in (1, 2)[: len(word)]:
        for rest in cut_letters(word[width:]):
            yield (word[:width], *rest)


def best_of_all(said, word):
    """The two likeliest sequences of units, and their log-probabilities."""
    return every_score(said, word)[:2]


def every_score(said, word):
    """Log-probability and units of every sequence that spells a word, the highest first."""

    def score(units):
        text = START
        total = 0.0
        for unit in (*units, STOP):
            total += math.log(said.model.probability(unit, text))
            text += unit
        return total

    every = (
        units
        for letters in cut_letters(word)
        for units in itertools.product(*(said.codes.get(x, ()) for x in letters))
    )
    return sorted(((score(units), units) for units in every), reverse=True)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_a_wide_beam_finds_the_best_of_all(order):
    _, said = taught(order)
    told = 0
    for word in ("on", "the", "tea", "sos", "than", "ally", "chee"):
        (best, units), (second, _) = best_of_all(said, word)
        if best - second > 1e-9:
            told += 1
            wanted = [phone for unit in units for phone in said.phones[unit]]
            assert said.pronounce(word, beam=100_000) == wanted, word
    assert told > 4


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_a_pair_is_as_probable_as_its_best_cut(order):
    _, said = taught(order)
    best = {}
    for score, units in every_score(said, "tea"):
        phones = tuple(phone for unit in units for phone in said.phones[unit])
        best.setdefault(phones, score)  # the highest comes first
    assert len(best) > 30
    for phones, score in best.items():
        assert said.log_probability("tea", list(phones)) == pytest.approx(score)
    assert said.log_probability("tea", ["T", "ZH", "ZH", "T"]) == -math.inf
    assert said.log_probability("", []) > -math.inf == said.log_probability("", "T")
    with pytest.raises(ValueError, match="word must be made of the letters a to z"):
        said.log_probability("tée", ["T", "IY"])


def test_a_narrow_beam_may_miss_it():
    """And a beam of one is no error."""
    words, said = taught(3)
    narrow = [said.pronounce(word, beam=1) for word in words]
    wide = [said.pronounce(word, beam=64) for word in words]
    assert narrow != wide
    per = [error_rates(x, list(words.values()))[0] for x in (narrow, wide)]
    assert per[1] < per[0]


def test_it_memorises_a_small_training_set():
    """With words enough before it to tell them apart."""
    words, said = taught(8)
    real = [word for word in words if len(word) > 1]
    assert len(real) > 70
    for word in real:
        assert tuple(said.pronounce(word)) in words[word], word


def test_it_learns_what_it_was_not_taught():
    """Words it never saw: with more before it, it errs less."""
    validation = load_pronunciation()["validation"]
    words = {w: validation[w] for w in list(validation)[::41]}
    per = {}
    for order in (1, 4):
        _, said = taught(order, 151)
        told = [said.pronounce(word, beam=4) for word in words]
        per[order], _ = error_rates(told, list(words.values()))
    assert per[4] < 0.35 and per[4] < per[1] - 0.05


def test_the_same_every_time():
    words, said = taught(3)
    again = LetterNGrams(words, 3)
    assert (
        again.phones == said.phones
        and again.model.probabilities == said.model.probabilities
    )


def test_errors():
    without_z = {word: found for word, found in EACH_ONCE.items() if word != "z"}
    with pytest.raises(ValueError, match=r"words must have .*got none for \['z'\]"):
        LetterNGrams(without_z)
    with pytest.raises(
        ValueError, match="word must be made of the letters a to z, got 'naïve7'"
    ):
        LetterNGrams(EACH_ONCE | {"naïve7": [("N",)]})
    for order in (0, 9):
        with pytest.raises(ValueError, match=f"order must be .*got {order}"):
            LetterNGrams(EACH_ONCE, order)
    with pytest.raises(ValueError, match=r"texts must not be empty, got \[\]"):
        KneserNey([], 3)
    with pytest.raises(ValueError, match="symbol must be in the texts, got 'z'"):
        KneserNey(["<a>"], 2).probability("z", "a")
    said = LetterNGrams(EACH_ONCE, 2)
    for word in ("naïve7", "A", "it's"):
        with pytest.raises(ValueError, match=f"word must be .*got .{word}"):
            said.pronounce(word)
    with pytest.raises(ValueError, match="beam must be at least 1, got 0"):
        said.pronounce("a", beam=0)
    for wrong in ({"rounds": 0}, {"sample": 0}, {"rarest": 1.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be .*got"):
            align([("a", ("AA",))], **wrong)
