"""The book's own pronouncer: a Transformer from letters to sounds, stored as
weights and a card.
"""

import datetime
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save

from tfbook.data.batching import pad_batch
from tfbook.data.pronunciation import (
    LETTERS,
    SHA256,
    SOUNDS,
    encode_pairs,
    load_pronunciation,
)
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import beam_search_nbest
from tfbook.metrics import error_rates
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import Transformer
from tfbook.training.loop import train
from tfbook.training.presets import device, preset

WEIGHTS = Path(__file__).parents[1] / "weights"


class Pronouncer:
    """A Transformer from letter ids to phone ids, between strings on both sides.

    model: one with the vocabularies LETTERS and SOUNDS of
    `tfbook.data.pronunciation`; one with others is a ValueError.
    """

    def __init__(self, model):
        found = (model.config.source_vocab, model.config.target_vocab)
        if found != (len(LETTERS), len(SOUNDS)):
            raise ValueError(
                f"model must know {len(LETTERS)} letters and {len(SOUNDS)} sounds, pad, start and "
                f"stop counted, got {found[0]} and {found[1]}"
            )
        self.model = model

    def pronounce(self, word, beam=4, nbest=1):
        """The `nbest` best pronunciations: [(phones, log-probability in nats)].

        word: letters a to z, in any case. beam: sequences kept side by side, at
        least nbest. Raises ValueError for an empty word, another character, or a
        word longer than the model takes, TypeError for what is no string.
        """
        return self.pronounce_all([word], beam, nbest)[0]

    def pronounce_all(self, words, beam=4, nbest=1):
        """`pronounce` for a list of words; similar lengths go side by side."""
        if not 1 <= nbest <= beam:
            raise ValueError(
                f"nbest must be from 1 to beam, got nbest={nbest} and beam={beam}"
            )
        limit = self.model.config.max_length
        encoded = [LETTERS.encode(check_word(word, limit)) for word in words]
        by_length = sorted(range(len(words)), key=lambda i: len(encoded[i]))
        answers = [None] * len(words)
        for first in range(0, len(words), 128):
            batch = by_length[first : first + 128]
            source = pad_batch([encoded[i] for i in batch])  # (B, S)
            source = source.to(next(self.model.parameters()).device)
            found = beam_search_nbest(self.model, source, START, STOP, limit, beam)
            for i, hypotheses in zip(batch, found, strict=True):
                answers[i] = [
                    (SOUNDS.decode(ids), score) for ids, score in hypotheses[:nbest]
                ]
        return answers

    def score(self, words, beam=4):
        """Phone and word error rate on {word: variants}, decoded without help."""
        answers = self.pronounce_all(list(words), beam)
        return error_rates([found[0][0] for found in answers], list(words.values()))


def check_word(word, limit=None):
    """The word in lower case.

    Raises TypeError unless it is a string, ValueError unless it is made of the
    letters a to z, at most limit of them.
    """
    if not isinstance(word, str):
        raise TypeError(
            f"word must be a str, got {word!r:.40} of type {type(word).__name__}"
        )
    if not (word.isascii() and word.isalpha()):
        raise ValueError(
            f"word must be made of the letters a to z, got {word[:40]!r}"
        )
    if limit and len(word) > limit:
        raise ValueError(
            f"word must have at most {limit} letters, got {len(word)}: {word[:20]!r}…"
        )
    return word.lower()


def pronouncer_config(recipe):
    """The `TransformerConfig` of a pronouncer of a preset's size."""
    vocabularies = {"source_vocab": len(LETTERS), "target_vocab": len(SOUNDS)}
    return TransformerConfig(**vocabularies, max_length=64, **recipe.architecture())


def train_pronouncer(folder, seed=0, report=None):
    """Train the preset "pronunciation" on CMUdict's training words.

    Writes into a folder pronouncer.safetensors (16-bit floats) and pronouncer.json,
    its card, which holds the validation scores of the weights as stored. report:
    called with lines of text, such as print. Returns the card.
    """
    # an impossible folder fails before the work
    Path(folder).mkdir(parents=True, exist_ok=True)
    recipe, words = preset("pronunciation"), load_pronunciation()
    torch.manual_seed(seed)
    model = Transformer(pronouncer_config(recipe)).to(device())
    train(model, encode_pairs(words["train"]), recipe, seed, report)
    card = {
        "command": f"python -m tfbook train --seed {seed} --output DIR",
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "torch": torch.__version__.partition("+")[0],
        "recipe": asdict(recipe),
        "data": {"name": "cmudict 1.1.3, training words", "sha256": SHA256},
    }
    save_pronouncer(model, folder, card)
    per, wer = load_pronouncer(folder).score(words["validation"])
    card["validation"] = {"beam": 4, "PER": round(per, 4), "WER": round(wer, 4)}
    return save_pronouncer(model, folder, card)


def save_pronouncer(model, folder, card):
    """Write the weights as 16-bit floats, and the card with config and hash."""
    weights = Path(folder, "pronouncer.safetensors")
    # what is tied has one name among the parameters, and is stored once
    tensors = {
        name: p.detach().cpu().half() for name, p in model.named_parameters()
    }
    weights.write_bytes(save(tensors))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = {**card, "config": asdict(model.config), "sha256": digest}
    text = json.dumps(card, indent=2) + "\n"
    weights.with_suffix(".json").write_text(text, encoding="utf-8")
    return card


def load_pronouncer(folder=WEIGHTS):
    """The book's trained `Pronouncer`, or one that `train_pronouncer` wrote.

    folder: where weights and card are. Computes in 32-bit floats on the CPU. Raises
    FileNotFoundError when weights or card are missing, ValueError when the card
    can't be read or the weights are not those it describes.
    """
    weights = Path(folder, "pronouncer.safetensors")
    card = weights.with_suffix(".json")
    for file in (weights, card):
        if not file.is_file():
            raise FileNotFoundError(
                f"folder must hold {file.name}, not found in {folder}"
            )
    try:
        told = json.loads(card.read_text(encoding="utf-8"))
        config, digest = TransformerConfig(**told["config"]), told["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"folder must hold a readable {card.name}, got {error!r}"
        ) from error
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != digest:
        raise ValueError(
            f"{weights.name} must have sha256 {digest}, got {found}: damaged, or another's"
        )
    model = Transformer(config)
    try:
        load_model(model, str(weights))
    except (RuntimeError, SafetensorError) as error:
        words = " ".join(str(error).split())
        raise ValueError(
            f"{weights.name} must fit {card.name}, got {words:.160}"
        ) from error
    return Pronouncer(model.eval())
