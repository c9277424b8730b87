"""Trained with the bug: rows of unequal length, read at the last column instead of the last
symbol. How often is each length right, and how often with the state read where it should be?

Rows hold the symbol to remember, from none to so many more symbols, and the 9 that asks; a
batch of 64 is as long as its longest row. Lesson 2.1's RNN, recipe and 600 steps.
"""

from functools import partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook.tasks.recall import ASK, PAD, RECALL, VOCAB
from tfbook.training.presets import preset

RECIPE, D_HIDDEN, BATCH = preset(RECALL), 50, 64
MOST = (5, 8)  # symbols between the first and the 9


class Recaller(nn.Module):
    """Ids (B, T) and the place of each row's answer (B,) to logits (B, V)."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, RECIPE.d_model)
        self.layer = nn.RNN(RECIPE.d_model, D_HIDDEN, batch_first=True)
        self.output = nn.Linear(D_HIDDEN, VOCAB)

    def forward(self, ids, last):
        outputs = self.layer(self.embedding(ids))[0]  # (B, T, d_hidden)
        return self.output(outputs[torch.arange(len(ids)), last])  # (B, V)


def rows(n, most, generator):
    """n rows (n, most + 2) with pads behind, and the place of each row's 9, (n,)."""
    ids = torch.randint(1, ASK, (n, most + 2), generator=generator)
    last = torch.randint(1, most + 2, (n,), generator=generator)
    places = torch.arange(most + 2)
    ids[places == last[:, None]] = ASK
    ids[places > last[:, None]] = PAD
    return ids, last


def by_length(most, at_the_end, seed):
    """The shares right after training, for 0 to `most` symbols in between."""
    torch.manual_seed(seed)
    model, generator = Recaller(), torch.Generator().manual_seed(1000 + seed)
    optimizer = torch.optim.Adam(model.parameters(), RECIPE.learning_rate)

    def read(ids, last):
        return model(ids, torch.full_like(last, -1) if at_the_end else last)

    for _ in range(RECIPE.steps):
        ids, last = rows(BATCH, most, generator)
        optimizer.zero_grad()
        F.cross_entropy(read(ids, last), ids[:, 0]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    ids, last = rows(1000 * (most + 1), most, generator)
    with torch.no_grad():
        right = (read(ids, last).argmax(-1) == ids[:, 0]).double()  # (n,)
    return [round(right[last == n].mean().item(), 3) for n in range(1, most + 2)]


def over_seeds(most, at_the_end, seeds):
    return [by_length(most, at_the_end, seed) for seed in seeds]


experiment = Experiment(
    __file__,
    {
        f"up to {most} between": {
            "read at the end": partial(over_seeds, most, True),
            "read at the last symbol": partial(over_seeds, most, False),
        }
        for most in MOST
    },
    seeds=(0, 1, 2),
    minutes=1,
)
