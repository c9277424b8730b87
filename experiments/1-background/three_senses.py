"""Does one encoder layer read words, pictures and sounds? With and without positions.

The same layer, recipe and loop for all three, three seeds each; beside it a linear map of the
mean vector.
"""

from functools import cache, partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook import Encoder, TransformerConfig
from tfbook.model.positions import sinusoidal_positions
from tfbook.model.vit import patches
from tfbook.tasks import senses
from tfbook.tasks.senses import SENSES
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import preset

RECIPE = preset(SENSES)


class Reader(nn.Module):
    """Vectors (B, T, width) to scores of the classes (B, n_classes)."""

    def __init__(self, width, n_classes, body, positions):
        super().__init__()
        self.enter = nn.Linear(width, RECIPE.d_model)
        self.body, self.positions = body, positions
        self.output = nn.Linear(RECIPE.d_model, n_classes)

    def forward(self, x):
        x = self.enter(x)  # (B, T, d_model)
        if self.positions:
            x = x + sinusoidal_positions(x.size(1), x.size(2), like=x)
        return self.output(self.body(x).mean(dim=1))  # (B, n_classes)


@cache
def tasks(seed):
    """{name: (training examples, new examples)}, each a pair of inputs and labels."""
    parts = ("train", 3000, 10 * seed), ("validation", 800, 10 * seed + 1)
    words = [senses.words(*part) for part in parts]
    pictures = [senses.pictures(*part) for part in parts]
    tones = [senses.tones(*part[1:]) for part in parts]
    return {
        "words": words,
        "pictures": [
            (patches(x[:, None], (7, 7)), labels) for x, labels in pictures
        ],
        "sounds": [(senses.frames(x), labels) for x, labels in tones],
    }


def score(task, body, positions, seed):
    """The share of new examples that are right after training."""
    (x, labels), (new_x, new_labels) = task
    torch.manual_seed(seed)
    model = Reader(x.size(-1), int(labels.max()) + 1, body(), positions)
    optimizer = torch.optim.AdamW(model.parameters(), RECIPE.learning_rate)
    for step in range(RECIPE.steps):
        share = warmup_cosine(step, RECIPE.warmup, RECIPE.steps)
        optimizer.param_groups[0]["lr"] = share * RECIPE.learning_rate
        batch = torch.randint(len(x), (RECIPE.tokens // x.size(1),))
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = model.eval()(new_x).argmax(-1) == new_labels
    return right.double().mean().item()


def encoder():
    return Encoder(TransformerConfig(**RECIPE.architecture()))


def shares(sense, body, positions, seeds):
    """The share of new examples that are right, for each seed."""
    return [
        round(score(tasks(seed)[sense], body, positions, seed), 4) for seed in seeds
    ]


ARMS = {
    "one encoder layer": (encoder, True),
    "without positions": (encoder, False),
    "mean vector": (nn.Identity, False),
}
experiment = Experiment(
    __file__,
    {
        sense: {name: partial(shares, sense, *arm) for name, arm in ARMS.items()}
        for sense in ("words", "pictures", "sounds")
    },
    seeds=(0, 1, 2),
    minutes=4,
)
