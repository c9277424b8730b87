"""What is warm-up good for? Lesson 4.3's model at two learning rates, with and without it.

Pre-norm and post-norm, three seeds, 400 steps each; the mean loss of the last 100.
"""

import dataclasses
from functools import partial

import torch
from run import Experiment

from tfbook import Transformer
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset

STEPS = 400


def last_loss(norm, learning_rate, warmup, seed, pairs):
    """Train once; returns the mean loss of the last quarter, in nats."""
    recipe = dataclasses.replace(
        preset(PRESETS["pronunciation"]),
        steps=STEPS,
        learning_rate=learning_rate,
        warmup=warmup,
    )
    torch.manual_seed(seed)
    config = dataclasses.replace(
        pronouncer_config(recipe), norm=norm, final_norm=None
    )
    losses = train(Transformer(config), pairs, recipe, seed)
    return round(sum(losses[-STEPS // 4 :]) / (STEPS // 4), 3)


def last_losses(norm, learning_rate, warmup, seeds):
    pairs = encode_pairs(load_pronunciation()["train"])
    return [last_loss(norm, learning_rate, warmup, seed, pairs) for seed in seeds]


experiment = Experiment(
    __file__,
    {
        f"{norm}-norm, rate {learning_rate}, warm-up {warmup}": partial(
            last_losses, norm, learning_rate, warmup
        )
        for norm in ("pre", "post")
        for learning_rate in (2e-3, 8e-3)
        for warmup in (0, 150)
    },
    seeds=(0, 1, 2),
    minutes=12,
    processes=2,
)
