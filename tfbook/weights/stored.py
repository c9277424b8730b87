"""A model's weights and their card on disk: written, read, and refused when damaged."""

import hashlib
import itertools
import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_model, save

from tfbook.training.checkpoint import write_whole

WEIGHTS = Path(__file__).parent


def save_weights(model, folder, name, card):
    """Write NAME.safetensors, the weights as 16-bit floats, and NAME.json, the card,
    with model.config and the hash of the weights added; returns the card. Raises
    ValueError for weights that are not finite, or too large for 16 bits.
    """
    weights = Path(folder, f"{name}.safetensors")
    # tied weights have one name among the parameters, and are stored once
    tensors = {n: p.detach().cpu().half() for n, p in model.named_parameters()}
    for parameter, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(
                "model must have finite weights, none beyond 65504, for 16 bits to hold "
                f"them, got others in {parameter}"
            )
    content = save(tensors)
    digest = hashlib.sha256(content).hexdigest()
    card = {**card, "config": asdict(model.config), "sha256": digest}
    write_whole(weights, content)
    text = json.dumps(card, indent=2) + "\n"
    write_whole(weights.with_suffix(".json"), text.encode())
    return card


def file_in(folder, name):
    """The path of a folder's file. Raises FileNotFoundError when it is not there."""
    file = Path(folder, name)
    if not file.is_file():
        raise FileNotFoundError(f"folder must hold {name}, not found in {folder}")
    return file


def read_card(name, folder=WEIGHTS):
    """The card beside a model's weights, as a dictionary.

    Raises FileNotFoundError when there is none, ValueError when it can't be read.
    """
    file = file_in(folder, f"{name}.json")
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        card["config"], card["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"folder must hold a readable {file.name}, got {error!r}"
        ) from error
    return card


def load_weights(name, build, folder=WEIGHTS):
    """A model with the weights that `save_weights` wrote, in eval mode, in 32-bit
    floats on the CPU.

    build: makes the model from the card's config, a dictionary. Raises
    FileNotFoundError when weights or card are missing, ValueError when the card can't
    be read or the weights are not those it describes.
    """
    weights = file_in(folder, f"{name}.safetensors")
    card = read_card(name, folder)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != card["sha256"]:
        raise ValueError(
            f"{weights.name} must have sha256 {card['sha256']}, got {digest}: damaged, or "
            "another's"
        )
    try:
        model = build(card["config"])
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"folder must hold a readable {name}.json, got {error!r}"
        ) from error
    try:
        load_model(model, str(weights))
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{weights.name} must fit {name}.json, got {reason:.160}"
        ) from error
    return model.eval()


def hundredths(losses):
    """The mean losses of a hundred equal stretches of a training, or of each step when
    there are fewer.
    """
    n = min(100, len(losses))
    ends = [len(losses) * i // n for i in range(n + 1)]
    return [
        round(sum(losses[a:b]) / (b - a), 3) for a, b in itertools.pairwise(ends)
    ]
