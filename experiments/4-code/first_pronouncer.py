"""How good is the pronouncer of lesson 4.2, how much do seeds matter, and what are a word's
relatives in the training data worth? Three seeds, validation words.

The first seed is the lesson's own. A relative shares its stem, by three endings: *walks* and
*walked* for *walk*. Words that have relatives may be easier in themselves. So the rules, which
saw no word, are scored on both groups too, and a second pronouncer is trained without the
relatives.
"""

from functools import cache, partial

import torch
from run import Experiment

from tfbook import Transformer
from tfbook.metrics import edit_distance, error_rates
from tfbook.tasks.pronunciation import LetterNGrams, MostFrequentSound, Rules
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset

ENDINGS = ("", "s", "ed", "ing")


def siblings(word):
    """The words of the training data with the stem of this one and another ending."""
    stems = [word.removesuffix(ending) for ending in ENDINGS]
    family = {stem + ending for stem in stems for ending in ENDINGS} - {word}
    return family & load_pronunciation()["train"].keys()


def groups():
    """The validation words with a sibling in the training data, and those without."""
    parts = {"with": {}, "without": {}}
    for word, variants in load_pronunciation()["validation"].items():
        parts["with" if siblings(word) else "without"][word] = variants
    return parts


@cache
def trained(seed, siblings_left_out=False):
    """The lesson's pronouncer, trained with a seed."""
    recipe, words = preset(PRESETS["pronunciation"]), load_pronunciation()["train"]
    if siblings_left_out:
        related = {s for word in groups()["with"] for s in siblings(word)}
        words = {w: variants for w, variants in words.items() if w not in related}
    torch.manual_seed(seed)
    model = Transformer(pronouncer_config(recipe))
    train(model, encode_pairs(words), recipe, seed)
    return Pronouncer(model)


def rates(runs, words):
    """The rates of several runs, each a list of answers to the words."""
    found = [error_rates(said, list(words.values())) for said in runs]
    return {
        "PER": [round(per, 4) for per, _ in found],
        "WER": [round(wer, 4) for _, wer in found],
    }


def by_itself(rival, words):
    """The rates of a system that has no seed."""
    return rates([[rival.pronounce(word) for word in words]], words)


def score_rival(rival, seeds):
    return by_itself(rival(), load_pronunciation()["validation"])


def most_frequent_sound():
    return MostFrequentSound(load_pronunciation()["train"])


def letter_ngrams():
    return LetterNGrams(load_pronunciation()["train"])


@cache
def answers(seed, siblings_left_out=False):
    """{word: phones}, what a trained pronouncer says of the validation words, greedily."""
    words = list(load_pronunciation()["validation"])
    best = trained(seed, siblings_left_out).pronounce_all(words, beam=1)
    return {word: said for word, [(said, _)] in zip(words, best, strict=True)}


def rates_of(words, seeds, siblings_left_out=False):
    runs = [answers(seed, siblings_left_out) for seed in seeds]
    return rates([[said[word] for word in words] for said in runs], words)


def greedy(seeds):
    return rates_of(load_pronunciation()["validation"], seeds)


def near_misses(seeds):
    """The share of the wrong words that are one edit from a right answer."""
    shares = []
    for seed in seeds:
        edits = [
            min(edit_distance(answers(seed)[word], variant) for variant in variants)
            for word, variants in load_pronunciation()["validation"].items()
        ]
        wrong = [n for n in edits if n > 0]
        shares.append(round(wrong.count(1) / len(wrong), 4))
    return shares


def sizes(seeds):
    """How many words each group has, and how many are left out of the second training."""
    parts = groups()
    related = {s for word in parts["with"] for s in siblings(word)}
    return {name: len(words) for name, words in parts.items()} | {
        "left out": len(related)
    }


def rules_by_group(seeds):
    return {name: by_itself(Rules(), words) for name, words in groups().items()}


def by_group(siblings_left_out, seeds):
    return {
        name: rates_of(words, seeds, siblings_left_out)
        for name, words in groups().items()
    }


experiment = Experiment(
    __file__,
    {
        "most frequent sound": partial(score_rival, most_frequent_sound),
        "rules": partial(score_rival, Rules),
        "letter n-grams": partial(score_rival, letter_ngrams),
        "greedy": greedy,
        "near misses": near_misses,
        "siblings": {
            "words": sizes,
            "rules": rules_by_group,
            "Transformer": partial(by_group, False),
            "Transformer, siblings left out": partial(by_group, True),
        },
    },
    seeds=(0, 1, 2),
    minutes=14,
)
