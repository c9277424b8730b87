"""Train the GPT of lesson 4.7 and write its weights into tfbook/weights.

    python experiments/4-code/train_python_gpt.py FILE

FILE keeps the state of the training, so that it can be stopped and go on. About an hour on
one core.
"""

import sys

import torch

from tfbook.data.byte_pairs import BytePairs
from tfbook.metrics import bits_per_byte, surprises
from tfbook.model.gpt import GPT
from tfbook.tasks.python_source.gpt import NAME, PYTHON_GPT, python_config
from tfbook.tasks.python_source.source import (
    SHA256,
    load_python_source,
    one_text,
    windows,
)
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import preset
from tfbook.training.progress import lines
from tfbook.weights.stored import WEIGHTS, hundredths, save_weights

VOCAB_SIZE, LENGTH, SEED = 1024, 256, 0


def main(checkpoint):
    files, recipe = load_python_source()["train"], preset(PYTHON_GPT)
    vocabulary = BytePairs.train([files[n] for n in sorted(files)], VOCAB_SIZE)
    ids = torch.tensor(vocabulary.encode(one_text(files)))
    torch.manual_seed(SEED)
    model = GPT(python_config(recipe, len(vocabulary), LENGTH))
    draw = windows(ids, LENGTH, recipe.tokens // LENGTH)
    data = f"sympy {SHA256}, {len(vocabulary)} ids"
    losses = train_drawn(
        model, draw, data, recipe, SEED, lines(print), checkpoint, every=400
    )
    for p in model.parameters():
        p.data = p.data.half().float()  # what is stored is what is scored
    held_out = one_text(load_python_source()["validation"])
    nats = surprises(model, torch.tensor(vocabulary.encode(held_out)))
    bits = bits_per_byte(nats, len(held_out.encode()))
    card = {
        "command": "python experiments/4-code/train_python_gpt.py FILE",
        "data": {"package": "sympy 1.14.0, BSD licence", "sha256": SHA256},
        "seed": SEED,
        "recipe": vars(recipe),
        "losses in nats, hundredths of the training": hundredths(losses),
        "validation bits per byte": round(bits, 4),
        "merges": vocabulary.merges,
    }
    save_weights(model, WEIGHTS, NAME, card)


if __name__ == "__main__":
    main(*sys.argv[1:])
