"""What is warm-up good for? Lesson 4.3's model at two learning rates, with and without it.

Pre-norm and post-norm, three seeds, 400 steps each; the mean loss of the last 100. About
six minutes on two cores.
"""

import dataclasses

import torch
from provenance import write

from tfbook import Transformer
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset

SEEDS = (0, 1, 2)
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


def main():
    pairs, numbers = encode_pairs(load_pronunciation()["train"]), {}
    for norm in ("pre", "post"):
        for learning_rate in (2e-3, 8e-3):
            for warmup in (0, 150):
                name = f"{norm}-norm, rate {learning_rate}, warm-up {warmup}"
                numbers[name] = [
                    last_loss(norm, learning_rate, warmup, seed, pairs)
                    for seed in SEEDS
                ]
                print(name, numbers[name])
    write("warmup", numbers, SEEDS)


if __name__ == "__main__":
    main()
