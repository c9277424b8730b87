"""What holds a deep stack together? Residual and norm taken away, norm before and after.

Encoders of 1 to 12 layers learn to name, at each of eight positions, the first symbol.
Three seeds, 150 steps each, gradients clipped to length 1; the mean loss of the last 20
steps, ln 8 = 2.08 being a guess. Pre- and post-norm without a warm-up and with one of 50
steps, at the usual rate and, with 2 and 12 layers, at a quarter of it and four times it;
what lacks residual or norm with the warm-up, and with 12 layers also at the lower rate.
"""

from functools import partial
from itertools import product

import torch
from run import Experiment
from torch import nn
from torch.nn.functional import cross_entropy

from tfbook import Encoder, TransformerConfig
from tfbook.model.layers import AddNorm, InputEmbedding, init_weights
from tfbook.pitfalls.patching import patched
from tfbook.tasks.recall import DEEP_FIRST_SYMBOL
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import preset

RECIPE = preset(DEEP_FIRST_SYMBOL)
LENGTH, SYMBOLS = 8, 8
DESIGNS = {
    "pre-norm": lambda self, x, f: x + f(self.norm(x)),
    "post-norm": lambda self, x, f: self.norm(x + f(x)),
    "residual alone": lambda self, x, f: x + f(x),
    "norm alone": lambda self, x, f: self.norm(f(x)),
    "neither": lambda self, x, f: f(x),
}


def model_of(design, n_layers):
    """Embedding, encoder, output. Only pre-norm needs a norm behind its last layer."""
    size = RECIPE.architecture() | {"n_layers": n_layers}
    config = TransformerConfig(**size, final_norm=design == "pre-norm")
    output = nn.Linear(config.d_model, SYMBOLS)
    way_in, layers = InputEmbedding(SYMBOLS, config), Encoder(config)
    return init_weights(nn.Sequential(way_in, layers, output))


def last_loss(design, n_layers, rate, warmup, seed):
    """Train once; returns the mean loss of the last 20 steps, in nats."""
    torch.manual_seed(seed)
    model, losses = model_of(design, n_layers), []
    optimizer = torch.optim.Adam(model.parameters(), rate, betas=(0.9, 0.98))
    with patched(AddNorm, "forward", DESIGNS[design]):
        for step in range(RECIPE.steps):
            for group in optimizer.param_groups:
                group["lr"] = rate * warmup_cosine(step, warmup, RECIPE.steps)
            rows = RECIPE.tokens // LENGTH
            ids = torch.randint(SYMBOLS, (rows, LENGTH))  # (B, T)
            logits = model(ids)  # (B, T, V)
            labels = ids[:, :1].expand_as(ids)  # (B, T)
            loss = cross_entropy(logits.flatten(0, 1), labels.flatten())  # a scalar
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    return round(sum(losses[-20:]) / 20, 3)


def last_losses(design, n_layers, rate, warmup, seeds):
    return [last_loss(design, n_layers, rate, warmup, seed) for seed in seeds]


def settings():
    """Each design, depth, learning rate and warm-up that is tried."""
    usual, depths, warmup = RECIPE.learning_rate, (1, 2, 3, 6, 12), RECIPE.warmup
    slow, fast, whole = usual / 4, usual * 4, ("pre-norm", "post-norm")
    return [
        *product(whole, (12, 2), (usual, slow, fast), (0, warmup)),
        *product(whole, (1, 3, 6), [usual], (0, warmup)),
        *product(list(DESIGNS)[2:], depths, [usual], [warmup]),
        *product(list(DESIGNS)[2:], [12], [slow], [warmup]),
    ]


experiment = Experiment(
    __file__,
    {
        f"{design}, depth {depth}, rate {rate}, warm-up {warmup}": partial(
            last_losses, design, depth, rate, warmup
        )
        for design, depth, rate, warmup in settings()
    },
    seeds=(0, 1, 2),
    minutes=5,
    processes=2,
)
