"""One head against several, at equal parameters: lesson 2.3's two games, five seeds.

The share of 2,000 new questions answered without a fault, every hundred steps; then what
each head looks at, and what is lost without it; then the wrong reshape. The model and the
cards are those of lesson 2.3.
"""

from functools import partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook import MultiHeadAttention, TransformerConfig
from tfbook.model.layers import AddNorm, FeedForward
from tfbook.pitfalls.patching import patched
from tfbook.tasks.recall import TWO_LOOKUPS
from tfbook.training.presets import preset

HEADS = (1, 2, 4, 8)
STEPS, EVERY = 2000, 100
RATES = (0.00125, 0.0025, 0.005, 0.01, 0.02)
NAMES, DIGITS = 8, 10


class LookUp(nn.Module):
    """One attention layer from a question to the cards, and a feed-forward."""

    def __init__(self, recipe, n_heads, n_lookups):
        super().__init__()
        config = TransformerConfig(**recipe.architecture() | {"n_heads": n_heads})
        self.name = nn.Embedding(NAMES, config.d_model)
        self.digit = nn.Embedding(DIGITS, config.d_model)
        self.ask = nn.Embedding(n_lookups * NAMES, config.d_model)
        self.attention = MultiHeadAttention(config.d_model, n_heads)
        self.add_norm, self.feed_forward = AddNorm(config), FeedForward(config)
        self.output = nn.Linear(config.d_model, n_lookups * DIGITS)

    def forward(self, names, digits, asked):
        """Cards (B, 8) and asked names (B, L) to logits (B, L, 10), weights (B, H, 8)."""
        cards = self.name(names) + self.digit(digits)  # (B, 8, d_model)
        place = NAMES * torch.arange(asked.size(1))  # (L,)
        x = self.ask(asked + place).sum(dim=1, keepdim=True)  # (B, 1, d_model)
        found, weights = self.attention(x, cards, cards, need_weights=True)
        x = self.add_norm(x + found, self.feed_forward)  # (B, 1, d_model)
        logits = self.output(x).view(len(x), -1, DIGITS)  # (B, L, 10)
        return logits, weights[:, :, 0]


def deal(n, n_lookups):
    """n sets of cards: names, digits (B, 8); asked names, answers, places (B, L)."""
    names = torch.rand(n, NAMES).argsort(dim=-1)  # (B, 8), in random order
    digits = torch.randint(DIGITS, (n, NAMES))  # (B, 8)
    places = torch.rand(n, NAMES).argsort(dim=-1)[:, :n_lookups]  # (B, L)
    return names, digits, names.gather(1, places), digits.gather(1, places), places


@torch.no_grad()
def score(model, n_lookups, n=2000):
    """Shares right of each look-up and of all at once; mean weights (H, L) on the places."""
    names, digits, asked, answers, places = deal(n, n_lookups)
    logits, weights = model(names, digits, asked)
    right = logits.argmax(dim=-1) == answers  # (B, L)
    places = places[:, None].expand(-1, weights.size(1), -1)  # (B, H, L)
    found = weights.gather(2, places).mean(dim=0)  # (H, L)
    return right.double().mean(dim=0), right.all(dim=1).double().mean(), found


def learn(n_heads, n_lookups, seed, steps, rate=None):
    """Train one model; returns it and its curve, the share right every hundred steps."""
    torch.manual_seed(seed)
    recipe = preset(TWO_LOOKUPS)
    model, curve = LookUp(recipe, n_heads, n_lookups), []
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=rate or recipe.learning_rate
    )
    for step in range(1, steps + 1):
        names, digits, asked, answers, _ = deal(
            recipe.tokens // (NAMES + 1), n_lookups
        )
        logits, _ = model(names, digits, asked)
        loss = F.cross_entropy(logits.flatten(0, 1), answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % EVERY == 0:
            with torch.random.fork_rng():
                torch.manual_seed(10_000 + step)
                curve.append(round(score(model, n_lookups)[1].item(), 3))
    return model, curve


@torch.no_grad()
def without(model, head):
    """The shares right of the two look-ups when a head's part of the output is zero."""
    weight = model.attention.output_projection.weight
    kept, d_head = weight.clone(), model.attention.d_head
    weight[:, head * d_head : (head + 1) * d_head] = 0
    shares = score(model, 2)[0].tolist()
    weight.copy_(kept)
    return rounded(shares)


def rounded(numbers):
    return [round(number, 3) for number in numbers]


def wrong_split(self, x):
    """The classic: the right shape, and heads that are rows instead of columns."""
    return x.reshape(len(x), self.n_heads, -1, self.d_head)  # (B, H, T, D)


def compare(n_lookups, n_heads, seeds):
    """What models with so many heads learn, look at, and lose without a head."""
    entry = {"parameters": 0, "curve": [], "weights": [], "without": []}
    for seed in seeds:
        model, curve = learn(n_heads, n_lookups, seed, STEPS // (3 - n_lookups))
        entry["parameters"] = sum(p.numel() for p in model.parameters())
        entry["curve"].append(curve)
        weights = score(model, n_lookups)[2]
        entry["weights"].append([rounded(row) for row in weights.tolist()])
        if n_lookups == 2:
            lost = [without(model, head) for head in range(n_heads)]
            entry["without"].append(lost)
    return entry


def reshaped_wrongly(n_heads, seeds):
    with patched(MultiHeadAttention, "split_heads", wrong_split):
        return {"curve": [learn(n_heads, 2, seed, STEPS)[1] for seed in seeds]}


def at_rates(n_heads, seeds):
    """{rate: the share right after the recipe's steps, by seed}, two look-ups."""
    steps = preset(TWO_LOOKUPS).steps
    return {
        rate: [learn(n_heads, 2, seed, steps, rate)[1][-1] for seed in seeds]
        for rate in RATES
    }


experiment = Experiment(
    __file__,
    {
        f"{n_lookups} look-ups, {n_heads} heads": partial(
            compare, n_lookups, n_heads
        )
        for n_lookups in (1, 2)
        for n_heads in HEADS
    }
    | {
        f"wrong reshape, {n_heads} heads": partial(reshaped_wrongly, n_heads)
        for n_heads in (2, 4)
    }
    | {
        "rates": {
            f"{n_heads} heads": partial(at_rates, n_heads) for n_heads in HEADS
        }
    },
    seeds=(0, 1, 2, 3, 4),
    minutes=13,
    processes=2,
)
