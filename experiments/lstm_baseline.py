"""How good is the recurrent baseline? An LSTM with attention, in the Transformer's own loop.

    python experiments/lstm_baseline.py            six trials, the training, validation words
    python experiments/lstm_baseline.py --test     and test words, with what was trained

The loop, the batches, the loss and the words are the Transformer's; the best trial on
validation words is trained for as many symbols as one stage of the shipped pronouncer. The
training can be stopped and goes on from its checkpoint; trials that are in the results file
are not run again. About an hour and a half on two cores.
"""

import dataclasses
import json
import sys
from pathlib import Path

import torch
from provenance import RESULTS, touch_test, write

from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.checkpoint import load_checkpoint, save_checkpoint
from tfbook.training.loop import train
from tfbook.training.presets import preset
from tfbook.training.progress import lines

SEEDS = "no seed: one run each, with seed 0; the scores say how far runs are apart"
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
WEIGHTS = Path(__file__).parents[1] / "_build" / "lstm_baseline.safetensors"


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


def tune(pairs, words, numbers):
    """Run what is missing of the six trials; returns the best one's recipe."""
    trials = numbers.setdefault("trials", {})
    for name, changes in TRIALS.items():
        if name not in trials:
            recipe = dataclasses.replace(TENTH, **changes)
            model = build(recipe)
            train(model, pairs, recipe, 0, lines(print))
            trials[name] = score(model, words, beam=1)
            print(name, trials[name], flush=True)
            write("lstm_baseline", numbers, SEEDS)
    best = min(trials, key=lambda name: trials[name]["PER"])
    return dataclasses.replace(FULL, **TRIALS[best])


def main():
    file = RESULTS / "lstm_baseline.json"
    numbers = json.loads(file.read_text())["numbers"] if file.exists() else {}
    words, pairs = (
        load_pronunciation(),
        encode_pairs(load_pronunciation(STAGE.stress)["train"], STAGE.stress),
    )
    recipe = tune(pairs, words["validation"], numbers)
    model, told = build(recipe), dataclasses.asdict(recipe)
    WEIGHTS.parent.mkdir(exist_ok=True)
    if WEIGHTS.exists():
        model.load_state_dict(load_checkpoint(WEIGHTS, told))
    else:
        checkpoint = WEIGHTS.with_suffix(".training")
        train(model, pairs, recipe, 0, lines(print), checkpoint)
        save_checkpoint(WEIGHTS, model.state_dict(), told)
        checkpoint.unlink()
    numbers["recipe"] = told
    numbers["parameters"] = sum(p.numel() for p in model.parameters())
    numbers["scores"] = {"validation": score(model.eval(), words["validation"], 4)}
    if "--test" in sys.argv:
        numbers["scores"]["test"] = score(model, words["test"], 4)
        touch_test(["LSTM with attention"])
    print(numbers["scores"])
    write("lstm_baseline", numbers, SEEDS)


if __name__ == "__main__":
    main()
