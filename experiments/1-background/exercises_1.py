"""What comes out of the exercise of lesson 1.0 whose truth depends on a training.

Its check reads the range of these seeds; the model and the data are the lesson's.
"""

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
    """Patches (B, T, 49) to scores of the digits (B, 10)."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(49, RECIPE.d_model)
        self.body = Encoder(TransformerConfig(**RECIPE.architecture()))
        self.output = nn.Linear(RECIPE.d_model, 10)

    def forward(self, x):
        x = self.enter(x)  # (B, T, d_model)
        x = x + sinusoidal_positions(x.size(1), x.size(2), like=x)
        return self.output(self.body(x).mean(dim=1))  # (B, 10)


def pictures(part, n, seed):
    drawn, digits = senses.pictures(part, n, seed)
    return patches(drawn[:, None], (7, 7)), digits  # (n, 16, 49), (n,)


def trained(x, digits, seed):
    torch.manual_seed(seed)
    model = Reader()
    optimizer = torch.optim.AdamW(model.parameters(), RECIPE.learning_rate)
    for step in range(RECIPE.steps):
        share = warmup_cosine(step, RECIPE.warmup, RECIPE.steps)
        optimizer.param_groups[0]["lr"] = share * RECIPE.learning_rate
        batch = torch.randint(len(x), (RECIPE.tokens // x.size(1),))
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), digits[batch]).backward()
        optimizer.step()
    return model.eval()


@torch.no_grad()
def shuffled_patches(seeds):
    """The share of new pictures that are right in their order, and in another one."""
    known, (x, digits) = (
        pictures("train", 2000, 0),
        pictures("validation", 800, 1),
    )
    found = {"in order": [], "shuffled": []}
    for seed in seeds:
        with torch.enable_grad():
            model = trained(*known, seed)
        order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
        for name, seen in (("in order", x), ("shuffled", x[:, order])):
            right = (model(seen).argmax(-1) == digits).double().mean()
            found[name].append(round(right.item(), 4))
    return found


experiment = Experiment(
    __file__,
    {"check_shuffled": shuffled_patches},
    seeds=tuple(range(8)),
    minutes=1,
)
