"""Does the scale of lesson 3.2 matter in training? One attention layer learns to look things
up, with scores divided by the root of d_k, and not.

A memory of 16 entries, each a name and a value; the layer is asked for the value of one name.
Three widths d_k, four learning rates, three seeds. A third arm, "small start", has no scale,
but initial weights so small that its first scores spread as the scaled ones do.
"""

from functools import partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

STEPS, BATCH, CHUNK = 600, 64, 25
NAMES, ENTRIES, VALUES, D_MODEL = 32, 16, 16, 64


def examples(n, draw):
    """n memories of different names with their values; the first name is asked for."""
    names = torch.rand(n, NAMES, generator=draw).argsort(-1)[:, :ENTRIES]  # (B, S)
    values = torch.randint(VALUES, (n, ENTRIES), generator=draw)  # (B, S)
    return names, values


class Lookup(nn.Module):
    """Embeddings, one head of attention, one linear map to the values' logits."""

    def __init__(self, d_k, arm):
        super().__init__()
        self.asked = nn.Embedding(NAMES, D_MODEL)
        self.names = nn.Embedding(NAMES, D_MODEL)
        self.values = nn.Embedding(VALUES, D_MODEL)
        self.query = nn.Linear(D_MODEL, d_k, bias=False)
        self.key = nn.Linear(D_MODEL, d_k, bias=False)
        self.value = nn.Linear(D_MODEL, D_MODEL, bias=False)
        self.output = nn.Linear(D_MODEL, VALUES)
        for layer in (self.query, self.key, self.value):
            nn.init.normal_(layer.weight, std=D_MODEL**-0.5)
        self.scale = d_k**0.5 if arm == "scale" else 1.0
        if arm == "small start":
            self.query.weight.data /= d_k**0.25
            self.key.weight.data /= d_k**0.25

    def scores(self, memory, asked):
        query = self.query(self.asked(asked))[:, :, None]  # (B, d_k, 1)
        return (self.key(memory) @ query)[..., 0] / self.scale  # (B, S)

    def forward(self, names, values):
        memory = (
            self.names(names) + self.values(values)
        ) / 2**0.5  # (B, S, d_model)
        weights = self.scores(memory, names[:, 0]).softmax(-1)  # (B, S)
        found = weights[:, None] @ self.value(memory)  # (B, 1, d_model)
        return self.output(found[:, 0]), weights  # (B, values), (B, S)


def accuracy(model):
    """The share of right values among 2,000 new examples, and the mean largest weight."""
    names, values = examples(2000, torch.Generator().manual_seed(99))
    with torch.no_grad():
        logits, weights = model(names, values)
    right = (logits.argmax(-1) == values[:, 0]).double().mean().item()
    return round(right, 4), round(weights.max(-1).values.mean().item(), 3)


def train(d_k, arm, rate, seed):
    """Train once; returns the accuracy after it, the mean largest weight before, and the
    loss in chunks.
    """
    torch.manual_seed(seed)
    model, draw = Lookup(d_k, arm), torch.Generator().manual_seed(seed)
    _, largest = accuracy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    losses = []
    for _ in range(STEPS):
        names, values = examples(BATCH, draw)
        loss = F.cross_entropy(model(names, values)[0], values[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    chunks = torch.tensor(losses).view(-1, CHUNK).mean(-1)  # (STEPS / CHUNK,)
    return accuracy(model)[0], largest, [round(loss, 3) for loss in chunks.tolist()]


def trainings(d_k, arm, rate, seeds):
    fields = ("accuracy", "first largest weight", "loss")
    runs = [train(d_k, arm, rate, seed) for seed in seeds]
    return dict(zip(fields, zip(*runs, strict=True), strict=True))


experiment = Experiment(
    __file__,
    {
        f"d_k {d_k}, {arm}, rate {rate}": partial(trainings, d_k, arm, rate)
        for d_k in (4, 64, 256)
        for arm in ("scale", "no scale", "small start")
        for rate in (3e-4, 1e-3, 3e-3, 1e-2)
    },
    seeds=(0, 1, 2),
    minutes=4,
    processes=2,
)
