"""How good is the pronouncer of lesson 4.2, and how much do seeds matter? Three seeds,
validation words.

The first seed is the lesson's own.
"""

from functools import cache, partial

import torch
from run import Experiment

from tfbook import Transformer
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset


@cache
def trained(seed):
    """The lesson's pronouncer, trained with a seed."""
    recipe = preset(PRESETS["pronunciation"])
    torch.manual_seed(seed)
    model = Transformer(pronouncer_config(recipe))
    train(model, encode_pairs(load_pronunciation()["train"]), recipe, seed)
    return Pronouncer(model)


def most_frequent_sound(seeds):
    """The baseline, which no seed changes."""
    words = load_pronunciation()
    baseline, validation = MostFrequentSound(words["train"]), words["validation"]
    said = [baseline.pronounce(word) for word in validation]
    per, wer = error_rates(said, list(validation.values()))
    return {"PER": [round(per, 4)], "WER": [round(wer, 4)]}


def score(beam, seeds):
    validation = load_pronunciation()["validation"]
    rates = [trained(seed).score(validation, beam) for seed in seeds]
    return {
        "PER": [round(per, 4) for per, _ in rates],
        "WER": [round(wer, 4) for _, wer in rates],
    }


experiment = Experiment(
    __file__,
    {
        "most frequent sound": most_frequent_sound,
        "greedy": partial(score, 1),
        "beam 4": partial(score, 4),
    },
    seeds=(0, 1, 2),
    minutes=10,
)
