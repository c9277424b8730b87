"""What comes out of the exercises of lessons 2.2 and 2.3 whose truth depends on a training.

Their checks read the range of these seeds; models and data are the lessons'.
"""

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook import MultiHeadAttention, TransformerConfig
from tfbook.model.layers import (
    AddNorm,
    FeedForward,
    InputEmbedding,
    init_weights,
)
from tfbook.tasks.recall import RECALL, TWO_LOOKUPS, VOCAB, recall
from tfbook.training.presets import preset

BATCH, TAUGHT, ASKED = 64, 20, (10, 21, 30, 40)
NAMES, DIGITS = 8, 10


class Recaller(nn.Module):
    """Ids (B, T) to logits (B, V) of the last position."""

    def __init__(self):
        super().__init__()
        d_model = preset(RECALL).d_model
        config = TransformerConfig(d_model=d_model, n_heads=1, dropout=0.0)
        self.embedding = InputEmbedding(VOCAB, config)
        self.attention = MultiHeadAttention(d_model, n_heads=1)
        self.output = nn.Linear(d_model, VOCAB)
        init_weights(self)

    def forward(self, ids):
        x = self.embedding(ids)  # (B, T, d_model)
        return self.output(self.attention(x, x, x)[0][:, -1])


def taught(seed):
    recipe = preset(RECALL)
    torch.manual_seed(seed)
    model = Recaller()
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate)
    drawn = recall(recipe.steps * BATCH, TAUGHT, seed + 1)
    for ids, labels in zip(*(x.split(BATCH) for x in drawn), strict=True):
        optimizer.zero_grad()
        F.cross_entropy(model(ids), labels).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def other_distances(seeds):
    """{distance: the share right of each seed's model}, taught at one distance alone."""
    models = [taught(seed) for seed in seeds]
    found = {}
    for distance in (TAUGHT, *ASKED):
        ids, labels = recall(1000, distance, seed=2)
        with torch.no_grad():
            right = [(m(ids).argmax(-1) == labels).double().mean() for m in models]
        found[str(distance)] = [round(share.item(), 4) for share in right]
    return found


class LookUp(nn.Module):
    """One attention head from a question to the cards, and a feed-forward."""

    def __init__(self, recipe):
        super().__init__()
        config = TransformerConfig(**recipe.architecture() | {"n_heads": 1})
        self.name = nn.Embedding(NAMES, config.d_model)
        self.digit = nn.Embedding(DIGITS, config.d_model)
        self.ask = nn.Embedding(2 * NAMES, config.d_model)
        self.attention = MultiHeadAttention(config.d_model, 1)
        self.add_norm, self.feed_forward = AddNorm(config), FeedForward(config)
        self.output = nn.Linear(config.d_model, 2 * DIGITS)

    def forward(self, names, digits, asked):
        """Cards (B, 8) and asked names (B, 2) to logits (B, 2, 10)."""
        cards = self.name(names) + self.digit(digits)  # (B, 8, d_model)
        place = NAMES * torch.arange(2)  # (2,)
        x = self.ask(asked + place).sum(dim=1, keepdim=True)  # (B, 1, d_model)
        x = self.add_norm(x + self.attention(x, cards, cards)[0], self.feed_forward)
        return self.output(x).view(len(x), 2, DIGITS)  # (B, 2, 10)


def deal(n):
    """Names, digits (B, 8), asked names (B, 2), and their digits in rising order."""
    names = torch.rand(n, NAMES).argsort(dim=-1)  # (B, 8)
    digits = torch.randint(DIGITS, (n, NAMES))  # (B, 8)
    places = torch.rand(n, NAMES).argsort(dim=-1)[:, :2]  # (B, 2)
    answers = digits.gather(1, places).sort(dim=-1).values  # (B, 2)
    return names, digits, names.gather(1, places), answers


def without_order(seeds):
    """The share of questions right of one head that isn't asked for the order, by seed."""
    recipe, found = preset(TWO_LOOKUPS), []
    for seed in seeds:
        torch.manual_seed(seed)
        model = LookUp(recipe)
        optimizer = torch.optim.AdamW(model.parameters(), recipe.learning_rate)
        for _ in range(recipe.steps):
            *question, answers = deal(recipe.tokens // (NAMES + 1))
            optimizer.zero_grad()
            logits = model(*question).transpose(1, 2)  # (B, 10, 2)
            F.cross_entropy(logits, answers).backward()
            optimizer.step()
        *question, answers = deal(2000)
        with torch.no_grad():
            right = (model(*question).argmax(-1) == answers).all(dim=1)
        found.append(round(right.double().mean().item(), 4))
    return found


experiment = Experiment(
    __file__,
    {"check_other_distance": other_distances, "check_without_order": without_order},
    seeds=tuple(range(8)),
    minutes=2,
)
