"""What four kinds of positions do on inputs longer than any seen in training.

A causal decoder of two layers learns two tasks. "three back": at each position, name the
symbol three places back; trained on 20 positions, scored on 80. "reversed": say 1 to 10
symbols backwards; scored on up to 40. Sinusoidal, learned, rotary, none, three seeds
each; and on the first task also sinusoidal and learned positions whose training starts
at a random position.
"""

from functools import partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

from tfbook import Decoder, TransformerConfig, causal_mask
from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.tasks.copying import THREE_BACK
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import preset

KINDS = ("sinusoidal", "learned", "rotary", "none")
BORDER, N_SYMBOLS = 0, 10  # the id that starts or parts a sequence; the others
BACK, TRAINED, LONGEST, WINDOW = 3, 20, 80, 4
REVERSED_TRAINED, REVERSED = 10, (2, 4, 6, 8, 10, 11, 12, 14, 16, 20, 25, 30, 40)
STEPS, REVERSED_STEPS = 500, 1500  # the lesson itself makes 300 of the first task


class Reader(nn.Module):
    """A decoder-only stack: ids (B, T) to scores (B, T, symbols + 1)."""

    def __init__(self, positions):
        super().__init__()
        sizes = preset(THREE_BACK).architecture()
        config = TransformerConfig(**sizes, positions=positions, max_length=96)
        self.embedding = InputEmbedding(N_SYMBOLS + 1, config)
        self.decoder = Decoder(config, cross_attention=False)
        self.output = nn.Linear(config.d_model, N_SYMBOLS + 1, bias=False)
        init_weights(self)

    def forward(self, ids, past=0):
        x = self.embedding(ids, past)  # (B, T, d_model)
        x = self.decoder(x, mask=causal_mask(ids.size(1)))  # (B, T, d_model)
        return self.output(x)  # (B, T, V)


def three_back(n, length, draw):
    """n sequences (n, length) that start with the border, and what to say at each
    position (n, length), -100 where nothing stands three places back.
    """
    ids = torch.randint(1, N_SYMBOLS + 1, (n, length), generator=draw)
    ids[:, 0] = BORDER
    wanted = torch.full_like(ids, -100)
    wanted[:, BACK + 1 :] = ids[:, 1:-BACK]
    return ids, wanted


def backwards(n, length, draw):
    """n sequences "symbols, border, the symbols backwards", (n, 2 length), and what
    to say next at each position (n, 2 length), -100 before the border.
    """
    ids = torch.randint(1, N_SYMBOLS + 1, (n, length), generator=draw)
    border = torch.full((n, 1), BORDER)
    whole = torch.cat((ids, border, ids.flip(1)), dim=1)  # (n, 2 length + 1)
    wanted = whole[:, 1:].clone()
    wanted[:, :length] = -100
    return whole[:, :-1], wanted


def train(positions, seed, batch, steps, starts=1):
    """A Reader, taught with batch(draw); starts: how many first positions to draw from."""
    recipe = preset(THREE_BACK)
    torch.manual_seed(seed)
    model, draw = Reader(positions), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), fused=True)
    for step in range(steps):
        for group in optimizer.param_groups:
            share = warmup_cosine(step, recipe.warmup, steps)
            group["lr"] = share * recipe.learning_rate
        ids, wanted = batch(draw)
        past = int(torch.randint(starts, (1,), generator=draw))
        logits = model(ids, past)  # (B, T, V)
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())  # scalar
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


def right(model, ids, wanted):
    """The share of right answers at each position that has one, (T,)."""
    with torch.no_grad():
        hits = (model(ids).argmax(-1) == wanted).double().mean(dim=0)  # (T,)
    return hits[wanted[0] != -100]


def score_three_back(positions, seed, starts=1):
    """Right answers in each window of four positions, from 4 to 79."""
    recipe = preset(THREE_BACK)

    def batch(draw):
        return three_back(recipe.tokens // TRAINED, TRAINED, draw)

    model = train(positions, seed, batch, STEPS, starts)
    new = three_back(500, LONGEST, torch.Generator().manual_seed(1000 + seed))
    windows = right(model, *new).view(-1, WINDOW).mean(dim=1)  # (19,)
    return [round(share, 3) for share in windows.tolist()]


def score_reversed(positions, seed):
    """Right answers at each input length, and at 20 each answer by itself."""

    def batch(draw):
        length = int(torch.randint(1, REVERSED_TRAINED + 1, (1,), generator=draw))
        n = preset(THREE_BACK).tokens // REVERSED_TRAINED
        return backwards(n, length, draw)

    model = train(positions, seed, batch, REVERSED_STEPS)
    hits = {}
    for length in REVERSED:
        draw = torch.Generator().manual_seed(1000 + seed)
        hits[length] = right(model, *backwards(500, length, draw))
    means = [round(share.mean().item(), 3) for share in hits.values()]
    return means, [round(share, 3) for share in hits[20].tolist()]


def three_back_scores(kind, seeds):
    found = {"right": [score_three_back(kind, seed) for seed in seeds]}
    if kind in ("sinusoidal", "learned"):
        starts = LONGEST - TRAINED + 1
        found["right, trained from random starts"] = [
            score_three_back(kind, seed, starts) for seed in seeds
        ]
    return found


def reversed_scores(kind, seeds):
    pairs = [score_reversed(kind, seed) for seed in seeds]
    return {
        "right": [means for means, _ in pairs],
        "right at length 20, by answer": [each for _, each in pairs],
    }


experiment = Experiment(
    __file__,
    {
        "three back": {
            "positions": list(range(BACK + 1, LONGEST, WINDOW)),
            "trained on": TRAINED,
            **{kind: partial(three_back_scores, kind) for kind in KINDS},
        },
        "reversed": {
            "lengths": REVERSED,
            "trained on": REVERSED_TRAINED,
            **{kind: partial(reversed_scores, kind) for kind in KINDS},
        },
    },
    seeds=(0, 1, 2),
    minutes=8,
    fields_first=True,
    processes=2,
)
