"""How good is the recurrent baseline? An LSTM with attention, in the Transformer's own loop.

The loop, the batches, the loss and the words are the Transformer's; the best trial on
validation words is trained for as many symbols as one stage of the shipped pronouncer. The
training can be stopped and goes on from its checkpoint.
"""

import dataclasses
from functools import cache, partial

import torch
from run import ROOT, Experiment, numbers

from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.checkpoint import load_checkpoint, save_checkpoint
from tfbook.training.loop import train
from tfbook.training.presets import preset
from tfbook.training.progress import lines

STAGE = preset(PRESETS["pronouncer"])
FULL = dataclasses.replace(
    STAGE, n_layers=2, steps=10_000, warmup=600, bfloat16=False
)
TENTH = dataclasses.replace(FULL, steps=FULL.steps // 10, warmup=100)
TRIALS = {
    "width 256, 2 layers, rate 1e-3": {},
    "rate 2e-3": {"learning_rate": 2e-3},
    "rate 4e-3": {"learning_rate": 4e-3},
    "width 512, rate 1e-3": {"d_model": 512},
    "width 512, rate 2e-3": {"d_model": 512, "learning_rate": 2e-3},
    "width 512, rate 2e-3, dropout 0.2": {
        "d_model": 512,
        "learning_rate": 2e-3,
        "dropout": 0.2,
    },
}
WEIGHTS = ROOT / "_build" / "lstm_baseline.safetensors"


def build(recipe):
    vocabularies = pronouncer_config(recipe)
    torch.manual_seed(0)
    return SequenceLSTM(
        SequenceLSTMConfig(
            vocabularies.source_vocab,
            vocabularies.target_vocab,
            recipe.d_model,
            recipe.n_layers,
            recipe.dropout,
        )
    )


def score(model, words, beam):
    per, wer = Pronouncer(model).score(words, beam)
    return {"words": len(words), "PER": round(per, 4), "WER": round(wer, 4)}


def trial(changes):
    """The scores after a tenth of the training."""
    recipe = dataclasses.replace(TENTH, **changes)
    model = build(recipe)
    train(model, training_pairs(), recipe, 0, lines(print))
    return score(model, load_pronunciation()["validation"], beam=1)


def training_pairs():
    return encode_pairs(load_pronunciation(STAGE.stress)["train"], STAGE.stress)


def chosen():
    """The recipe of the best trial, at full length."""
    trials = numbers("lstm_baseline")["trials"]
    best = min(trials, key=lambda name: trials[name]["PER"])
    return dataclasses.replace(FULL, **TRIALS[best])


@cache
def trained():
    """The network, trained by the chosen recipe or read from where a run left it."""
    recipe = chosen()
    model, metadata = build(recipe), dataclasses.asdict(recipe)
    WEIGHTS.parent.mkdir(exist_ok=True)
    if WEIGHTS.exists():
        model.load_state_dict(load_checkpoint(WEIGHTS, metadata))
    else:
        checkpoint = WEIGHTS.with_suffix(".training")
        train(model, training_pairs(), recipe, 0, lines(print), checkpoint)
        save_checkpoint(WEIGHTS, model.state_dict(), metadata)
        checkpoint.unlink(missing_ok=True)
    return model.eval()


def final_score(part):
    return score(trained(), load_pronunciation()[part], beam=4)


experiment = Experiment(
    __file__,
    {
        "trials": {
            name: partial(trial, changes) for name, changes in TRIALS.items()
        },
        "recipe": lambda: dataclasses.asdict(chosen()),
        "parameters": lambda: sum(p.numel() for p in trained().parameters()),
        "scores": {
            "validation": partial(final_score, "validation"),
            "test": partial(final_score, "test"),
        },
    },
    seeds="no seed: one run each, with seed 0; the scores say how far runs are apart",
    minutes=180,
    tests=("scores/test",),
)
