"""Who pronounces English best? Every system on the same words, stress dropped.

The counts, the network on a window, the n-grams and Phonetisaurus learn here, from the
training words; the Transformer is the shipped one; the LSTM's scores are those that
lstm_baseline.py found. Phonetisaurus (Novak et al. 2016) comes with the extra "bench":
pip install -e ".[bench]".
"""

import tempfile
from functools import cache, partial
from pathlib import Path

from run import Experiment, numbers

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import (
    LetterNGrams,
    MostFrequentSound,
    Rules,
    load_pronouncer,
)
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import LetterWindow


def one_by_one(baseline):
    """A baseline's answers, from a list of words."""
    return lambda words: [baseline.pronounce(word) for word in words]


def phonetisaurus(train):
    """The answers of Phonetisaurus, trained with its own settings."""
    import phonetisaurus as g2p

    folder = tempfile.TemporaryDirectory()
    model = Path(folder.name, "model.fst")
    g2p.train(
        {word: list(map(list, variants)) for word, variants in train.items()}, model
    )

    def answers(words, folder=folder):  # the folder lives as long as the answers do
        first = {}
        for word, phones in g2p.predict(words, model):
            first.setdefault(word, phones)
        return [first.get(word, []) for word in words]

    return answers


def transformer(beam):
    pronouncer = load_pronouncer()
    return lambda words: [
        hypotheses[0][0] for hypotheses in pronouncer.pronounce_all(words, beam)
    ]


def train_words():
    return load_pronunciation()["train"]


@cache
def made(make):
    """A system's function from words to answers."""
    return make()


def score(make, part):
    """The error rates; of the validation words also one digit a word, in the order of the
    alphabet, 1 where it was right, so that two systems can be compared word by word.
    """
    words = load_pronunciation()[part]
    said = dict(zip(words, made(make)(list(words)), strict=True))
    per, wer = error_rates(list(said.values()), list(words.values()))
    found = {"words": len(said), "PER": round(per, 4), "WER": round(wer, 4)}
    if part == "validation":
        right = [tuple(said[word]) in words[word] for word in sorted(words)]
        found["right"] = "".join("01"[r] for r in right)
    return found


def lstm_score(part):
    """The score that lstm_baseline.py found."""
    return numbers("lstm_baseline")["scores"][part]


def system(description, score):
    """A system's entries, of a function of the part that is scored."""
    return {
        "is": description,
        "validation": partial(score, "validation"),
        "test": partial(score, "test"),
    }


def system_of(description, make):
    return system(description, partial(score, make))


experiment = Experiment(
    __file__,
    {
        "most frequent sound": system_of(
            "each letter says what it says most often",
            lambda: one_by_one(MostFrequentSound(train_words())),
        ),
        "rules": system_of(
            "180 spelling rules, written by hand",
            lambda: one_by_one(Rules()),
        ),
        "letter n-grams": system_of(
            "counts of up to seven pieces of letters and sounds, aligned by EM",
            lambda: one_by_one(LetterNGrams(train_words())),
        ),
        "Phonetisaurus 0.3.0": system_of(
            "the same idea in a finite-state transducer, a tool in wide use",
            lambda: phonetisaurus(train_words()),
        ),
        "Transformer, greedy": system_of(
            "this book's, the likeliest sound at each step",
            lambda: transformer(beam=1),
        ),
        "Transformer, beam 4": system_of(
            "this book's, four hypotheses side by side",
            lambda: transformer(beam=4),
        ),
        "LSTM with attention": system(
            "two recurrent networks, one reads and one writes", lstm_score
        ),
        "network on a window of letters": system_of(
            "each letter by itself, seen among three to either side",
            lambda: one_by_one(LetterWindow(train_words(), reach=3, epochs=10)),
        ),
    },
    seeds="no seed: nothing is drawn here, but for the network on a window, whose seed is "
    "0; the trained weights have their own",
    minutes=20,
    tests=("*/test",),
)
