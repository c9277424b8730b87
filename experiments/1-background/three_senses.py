"""Does one encoder layer read words, pictures and sounds? With and without positions.

The same layer and loop for all three, and three rivals: a feed-forward of as many parameters,
at each row alone, with positions; a linear map of the whole table; a linear map of the mean
row. Each tries three learning rates with three tuning seeds, on training examples that are
held out. Of the rates whose mean share is within a point of the best, the lowest is taken.
Three other seeds then train at that rate and are scored on new words, typefaces and sounds.
"""

from functools import cache, partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook import Encoder, TransformerConfig
from tfbook.model.layers import AddNorm, FeedForward, init_weights
from tfbook.model.positions import sinusoidal_positions
from tfbook.model.vit import patches
from tfbook.tasks import senses
from tfbook.tasks.senses import SENSES
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import preset

RECIPE = preset(SENSES)
RATES, TUNING_SEEDS = (0.003, 0.01, 0.03), (100, 101, 102)
KNOWN, NEW = 3000, 800


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


class RowByRow(nn.Module):
    """A feed-forward in its Add & Norm: an encoder layer without attention."""

    def __init__(self):
        super().__init__()
        d_ff = 2 * RECIPE.d_ff  # to have the parameters of the encoder layer
        config = TransformerConfig(**RECIPE.architecture() | {"d_ff": d_ff})
        self.add_norm, self.feed_forward = AddNorm(config), FeedForward(config)
        self.norm = nn.LayerNorm(config.d_model)
        init_weights(self)

    def forward(self, x):
        return self.norm(self.add_norm(x, self.feed_forward))  # (B, T, d_model)


def encoder():
    return Encoder(TransformerConfig(**RECIPE.architecture()))


def reader(body, positions):
    """A function from examples x and a number of classes to a model."""
    return lambda x, n_classes: Reader(x.size(-1), n_classes, body(), positions)


def linear_map(x, n_classes):
    """Every entry of the table has a weight of its own for each class."""
    return nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), n_classes))


ARMS = {
    "one encoder layer": reader(encoder, positions=True),
    "without positions": reader(encoder, positions=False),
    "feed-forward, row by row": reader(RowByRow, positions=True),
    "linear map of the table": linear_map,
    "mean vector": reader(nn.Identity, positions=False),
}


@cache
def examples(sense, part, n, seed):
    """Vectors (n, T, width) and their labels (n,)."""
    if sense == "words":
        return senses.words(part, n, seed)
    if sense == "pictures":
        x, labels = senses.pictures(part, n, seed)
        return patches(x[:, None], (7, 7)), labels
    x, labels = senses.tones(n, seed)
    return senses.frames(x), labels


def score(make, known, new, rate, seed):
    """The share of new examples that are right after training on the known ones."""
    (x, labels), (new_x, new_labels) = known, new
    torch.manual_seed(seed)
    model = make(x, int(labels.max()) + 1)
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    for step in range(RECIPE.steps):
        share = warmup_cosine(step, RECIPE.warmup, RECIPE.steps)
        optimizer.param_groups[0]["lr"] = share * rate
        batch = torch.randint(len(x), (RECIPE.tokens // x.size(1),))
        optimizer.zero_grad()
        F.cross_entropy(model(x[batch]), labels[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        right = model.eval()(new_x).argmax(-1) == new_labels
    return round(right.double().mean().item(), 4)


def tuned(sense, make, rate):
    """The share right of held-out training examples, for each tuning seed."""
    shares = []
    for seed in TUNING_SEEDS:
        x, labels = examples(sense, "train", KNOWN + NEW, 10 * seed)
        known = x[:KNOWN], labels[:KNOWN]
        shares.append(score(make, known, (x[KNOWN:], labels[KNOWN:]), rate, seed))
    return shares


def shares(sense, arm, seeds):
    """An arm's tuning, the rate chosen, and the share of new examples right by seed."""
    tuning = {rate: tuned(sense, ARMS[arm], rate) for rate in RATES}
    means = {rate: sum(right) / len(right) for rate, right in tuning.items()}
    rate = min(r for r, mean in means.items() if mean >= max(means.values()) - 0.01)
    right = [
        score(
            ARMS[arm],
            examples(sense, "train", KNOWN, 10 * seed),
            examples(sense, "validation", NEW, 10 * seed + 1),
            rate,
            seed,
        )
        for seed in seeds
    ]
    return {"rate": rate, "tuning": tuning, "shares": right}


experiment = Experiment(
    __file__,
    {
        sense: {arm: partial(shares, sense, arm) for arm in ARMS}
        for sense in ("words", "pictures", "sounds")
    },
    seeds=(0, 1, 2),
    minutes=6,
)
