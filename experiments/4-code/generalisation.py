"""What helps a pronouncer with words that it has not seen? Each trial changes the first one in
one respect.

The shipped pronouncer's size, a tenth of one stage of its training: all trials read 3 million
symbols of the training words, and are scored by greedy decoding on the validation words,
stress dropped, with the weights of the last step and with their running average.
"""

import dataclasses
from functools import cache, partial

import torch
from run import Experiment

from tfbook import Transformer
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.training.loop import Training
from tfbook.training.presets import Preset
from tfbook.training.progress import lines

SHAPE = ("positions", "tie_embeddings")  # of the model, where a preset is silent
FIRST = Preset(
    d_model=256,
    n_heads=4,
    n_layers=3,
    d_ff=1024,
    dropout=0.1,
    tokens=2000,
    steps=1500,
    learning_rate=1e-3,
    warmup=150,
    label_smoothing=0.1,
    stress=True,
    bfloat16=True,
    averaging=0.995,
)
LARGE = {"tokens": 6000, "steps": 500, "warmup": 50, "averaging": 0.985}
TRIALS = {
    "first": {},
    "first, seed 1": {"seed": 1},
    "first, seed 2": {"seed": 2},
    "input and output embeddings apart": {"tie_embeddings": False},
    "rotary positions": {"positions": "rotary"},
    "targets without stress": {"stress": False},
    "dropout 0.2": {"dropout": 0.2},
    "dropout 0.3": {"dropout": 0.3},
    "batches of 6,000": LARGE,
    "batches of 6,000, twice the rate": {**LARGE, "learning_rate": 2e-3},
}


def build(recipe, seed, **shape):
    """A pronouncer's network before its first step."""
    config = dataclasses.replace(pronouncer_config(recipe), **shape)
    torch.manual_seed(seed)
    return Transformer(config)


@cache
def training_pairs(stress):
    return encode_pairs(load_pronunciation(stress)["train"], stress)


def score(model):
    """PER and WER on the validation words."""
    words = load_pronunciation()["validation"]
    per, wer = Pronouncer(model).score(words, beam=1)
    return {"PER": round(per, 4), "WER": round(wer, 4)}


def run(changes):
    """Train one trial and score it; returns what goes into the results file."""
    recorded, changes = changes, dict(changes)
    seed = changes.pop("seed", 0)
    shape = {name: changes.pop(name) for name in SHAPE if name in changes}
    recipe = dataclasses.replace(FIRST, **changes)
    model = build(recipe, seed, **shape)
    training = Training(model, training_pairs(recipe.stress), recipe, seed)
    report = lines(print)
    model.train()
    for _ in range(recipe.steps):
        training.step()
        report(training.losses, recipe.steps)
    last = score(model.eval())
    training.finish()
    return {
        "changes": recorded,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": round(sum(training.losses[-100:]) / 100, 3),
        "last weights": last,
        "averaged": score(model),
    }


experiment = Experiment(
    __file__,
    {name: partial(run, changes) for name, changes in TRIALS.items()},
    seeds="in the changes of the entries: 0, 1 and 2",
    minutes=100,
)
