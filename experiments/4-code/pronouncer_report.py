"""Where is the shipped pronouncer right and wrong? By stress, length, rarity and siblings.

Validation words, beam 4, and as many training words. The rarity of a word is the number of
training words that hold its rarest run of three letters, its two ends counted as letters.
"""

import itertools
from collections import Counter
from functools import cache

from run import Experiment

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation

ENDINGS = ("s", "ed", "ing")


def trigrams(word):
    """The runs of three letters of a word, with its ends."""
    word = f"^{word}$"
    return {word[i : i + 3] for i in range(len(word) - 2)}


def group(n, bounds):
    """The name of the group of a number: "2 to 4", or from the last bound on "11 and more"."""
    for low, high in itertools.pairwise(bounds):
        if n < high:
            return f"{low} to {high - 1}"
    return f"{bounds[-1]} and more"


def length_of(word):
    """The group of a word's length."""
    return group(len(word), (1, 5, 7, 9, 11))


def rarity(word, counts):
    """The group of a word's rarest run of three letters."""
    return group(min(counts[run] for run in trigrams(word)), (0, 10, 50, 200))


def has_sibling(word, train):
    """Whether a training word differs by one of three endings alone."""
    stems = [word.removesuffix(e) for e in ENDINGS if word.endswith(e)]
    near = [stem + e for stem in [word, *stems] for e in ("", *ENDINGS)]
    return any(other in train for other in near if other != word)


def grouped(answers, words, name_of):
    """{group: PER, WER and how many words}, in order."""
    members = {}
    for word in words:
        members.setdefault(name_of(word), []).append(word)
    numbers = {}
    for name in sorted(
        members, key=lambda name: (not name[0].isdigit(), len(name), name)
    ):
        part = members[name]
        per, wer = error_rates([answers[w] for w in part], [words[w] for w in part])
        numbers[name] = {
            "words": len(part),
            "PER": round(per, 4),
            "WER": round(wer, 4),
        }
    return numbers


@cache
def answers():
    """{validation word: the shipped pronouncer's best answer}"""
    words = load_pronunciation()["validation"]
    hypotheses = load_pronouncer().pronounce_all(list(words))
    return {word: best[0][0] for word, best in zip(words, hypotheses, strict=True)}


def by(group_of):
    """{group: the error rates of its words}"""
    return grouped(answers(), load_pronunciation()["validation"], group_of)


def by_rarity():
    counts = Counter(
        run for word in load_pronunciation()["train"] for run in trigrams(word)
    )
    return by(lambda word: rarity(word, counts))


def by_sibling():
    train = load_pronunciation()["train"]
    return by(lambda word: "yes" if has_sibling(word, train) else "no")


def on_training_words():
    """The error rates of as many training words as there are validation words."""
    train, validation = (load_pronunciation()[p] for p in ("train", "validation"))
    step = len(train) // len(validation)
    known = {word: train[word] for word in sorted(train)[::step]}
    per, wer = load_pronouncer().score(known)
    return {"words": len(known), "PER": round(per, 4), "WER": round(wer, 4)}


def with_stress():
    stressed = load_pronunciation(stress=True)["validation"]
    per, wer = load_pronouncer().score(stressed, stress=True)
    return {"PER": round(per, 4), "WER": round(wer, 4)}


experiment = Experiment(
    __file__,
    {
        "all": lambda: by(lambda word: "all words"),
        "letters": lambda: by(length_of),
        "rarest run of three letters, in training words": by_rarity,
        "a sibling in training": by_sibling,
        "training words": on_training_words,
        "with stress": with_stress,
    },
    seeds="no seed: nothing here is drawn, and the weights have their own",
    minutes=6,
)
