"""How many words does it take to overtake rules that a person wrote?

Five systems, each learning from so many training words drawn at random, three draws. The
counts of windows a second time with even windows, which reach equally far to both sides and
are fewer; the network also by how far its window reaches and four times as wide, from 10,000
words, and with three times the passes over all words. Word error rates on the validation
words. The curves begin at 1,000 words, because fewer may lack a letter; where the n-grams
still lack one by itself, their refusal is written down instead of a score.
"""

import random
from collections import Counter, defaultdict
from functools import cache, partial

from run import Experiment

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import LetterNGrams, MostFrequentSound, Rules
from tfbook.tasks.pronunciation.alignment import align
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import LetterWindow, letter_by_letter

SEEDS = (0, 1, 2)
SIZES = (1000, 3000, 10_000, 30_000, 105_726)
REACH = 3  # seven letters, as in NETtalk
REACHES, REACHES_FROM = (1, 2, 4, 5), 10_000
LETTERS_SEEN, EPOCHS = 1_600_000, 10  # the network trains until it has had both


def windows(word, at, reach=REACH):
    """All windows around a letter with up to `reach` letters on either side, the widest
    first; of equally wide ones the more even, then the one that reaches farther right.
    """
    framed, at = "_" * reach + word + "_" * reach, at + reach
    return [
        (left, framed[at - left : at + right + 1]) for left, right in order(reach)
    ]


@cache
def order(reach):
    """Pairs (letters to the left, letters to the right)."""
    pairs = [(i, j) for i in range(reach + 1) for j in range(reach + 1)]
    return sorted(pairs, key=lambda p: (-sum(p), abs(p[0] - p[1]), -p[1]))


def even_windows(word, at):
    """Those that reach equally far to both sides."""
    return [(i, w) for i, w in windows(word, at) if len(w) == 2 * i + 1]


class WindowCounts:
    """Says each letter as it was most often said in the first window around it that the
    training words have.
    """

    def __init__(self, alignments, windows):
        self.windows, counts = windows, defaultdict(Counter)
        for cut in filter(None, alignments):
            word = "".join(letters for letters, _ in cut)
            for at, phones in enumerate(letter_by_letter(cut)):
                for window in windows(word, at):
                    counts[window][phones] += 1
        self.says = {
            window: found.most_common(1)[0][0] for window, found in counts.items()
        }

    def pronounce(self, word):
        known = (
            next((w for w in self.windows(word, at) if w in self.says), None)
            for at in range(len(word))
        )
        return [phone for window in known for phone in self.says.get(window, ())]


@cache
def drawn(size, seed):
    """Some training words with their pronunciations, drawn at random; or all of them."""
    train = load_pronunciation()["train"]
    if size == len(train):
        return train
    chosen = random.Random(seed).sample(sorted(train), size)
    return {word: train[word] for word in chosen}


@cache
def alignments(size, seed):
    """The alignments of the words drawn."""
    words = drawn(size, seed)
    return align((word, spoken) for word in words for spoken in words[word])


def rules():
    return Rules()


def counts_of_letters(size, seed):
    return MostFrequentSound(drawn(size, seed))


def counts_of_windows(size, seed, windows=windows):
    return WindowCounts(alignments(size, seed), windows)


def network(size, seed, reach=REACH, epochs=None, hidden=512):
    words = drawn(size, seed)
    letters = sum(len(word) for word in words)
    epochs = epochs or max(EPOCHS, LETTERS_SEEN // letters)
    return LetterWindow(words, reach, hidden, epochs, seed, alignments(size, seed))


def score(make, *arguments):
    """The error rates of a baseline, made of some words, on the validation words."""
    baseline, validation = make(*arguments), load_pronunciation()["validation"]
    said = [baseline.pronounce(word) for word in validation]
    per, wer = error_rates(said, list(validation.values()))
    return {"PER": round(per, 4), "WER": round(wer, 4)}


def score_n_grams(size, seed):
    """As `score`; or why there are no n-grams, where a letter never stands by itself."""
    words, cuts = drawn(size, seed), alignments(size, seed)
    try:
        baseline = LetterNGrams(words, alignments=cuts)
    except ValueError as error:
        return {"refused": str(error)}
    return score(lambda: baseline)


def by_size(score, seeds_of_all, sizes=SIZES):
    """The entries of a system: {"1000 words, seed 0": …}."""
    return {
        f"{size} words, seed {seed}": partial(score, size, seed)
        for seed in SEEDS
        for size in sizes
        if size < SIZES[-1] or seed in seeds_of_all
    }


experiment = Experiment(
    __file__,
    {
        "rules": {"no words, no seed": partial(score, rules)},
        "counts of letters": by_size(partial(score, counts_of_letters), SEEDS[:1]),
        "counts of windows": by_size(partial(score, counts_of_windows), SEEDS[:1]),
        "counts of even windows": by_size(
            partial(score, partial(counts_of_windows, windows=even_windows)),
            SEEDS[:1],
            SIZES[::2],
        ),
        "network on windows": by_size(partial(score, network), SEEDS),
        "letter n-grams": by_size(score_n_grams, SEEDS[:1]),
        "reach": {
            f"{reach} letters to either side, seed {seed}": partial(
                score, network, REACHES_FROM, seed, reach
            )
            for seed in SEEDS
            for reach in REACHES
        },
        "network, 30 passes": {  # does the network only need more time?
            f"{SIZES[-1]} words, seed {seed}": partial(
                score, network, SIZES[-1], seed, REACH, 30
            )
            for seed in SEEDS
        },
    },
    seeds="in the names of the entries: 0, 1 and 2",
    minutes=30,
)
