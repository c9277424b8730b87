"""What keeps a deep stack trainable? Residual, norm, how the branches start, and warm-up.

Encoders of 12 layers learn to name, at each of eight positions, the first symbol, at five
learning rates; the main ones again with 3, 6 and 24 layers. Three seeds, 200 steps each,
gradients clipped to length 1; the mean loss of the last 20 steps, ln 8 = 2.08 being a guess.
A design says where residual and norm stand, a start what the weights are before the first
step: Xavier's, the library's own; the same with the last matrix of each branch times
1/sqrt(2N), or zero; or He's in the feed-forward, which keeps a plain stack's vectors in size.
"""

from functools import partial
from itertools import product

import torch
from run import Experiment
from torch import nn
from torch.nn.functional import cross_entropy

from tfbook import Encoder, TransformerConfig
from tfbook.model.layers import AddNorm, FeedForward, InputEmbedding, init_weights
from tfbook.pitfalls.patching import patched
from tfbook.tasks.recall import DEEP_FIRST_SYMBOL
from tfbook.training.loop import warmup_cosine
from tfbook.training.presets import preset

RECIPE, STEPS = preset(DEEP_FIRST_SYMBOL), 200
LENGTH, SYMBOLS = 8, 8
RATES = (0.0005, 0.001, 0.002, 0.004, 0.008)
DESIGNS = {
    "pre-norm": lambda self, x, f: x + f(self.norm(x)),
    "post-norm": lambda self, x, f: self.norm(x + f(x)),
    "residual alone": lambda self, x, f: x + f(x),
    "norm alone": lambda self, x, f: self.norm(f(x)),
    "neither": lambda self, x, f: f(x),
    "attention alone": lambda self, x, f: x if isinstance(f, FeedForward) else f(x),
}


def model_of(design, start, n_layers):
    """Embedding, encoder, output. Only pre-norm needs a norm behind its last layer."""
    size = RECIPE.architecture() | {"n_layers": n_layers}
    config = TransformerConfig(**size, final_norm=design == "pre-norm")
    output = nn.Linear(config.d_model, SYMBOLS)
    way_in, layers = InputEmbedding(SYMBOLS, config), Encoder(config)
    model = init_weights(nn.Sequential(way_in, layers, output))
    for layer in layers.layers:
        feed_forward = layer.feed_forward
        if start == "He":
            nn.init.kaiming_normal_(feed_forward.linear_1.weight)
            nn.init.kaiming_normal_(
                feed_forward.linear_2.weight, nonlinearity="linear"
            )
        scale = {"scaled": (2 * n_layers) ** -0.5, "zero": 0.0}.get(start, 1.0)
        for last in (layer.self_attention.output_projection, feed_forward.linear_2):
            last.weight.data.mul_(scale)
    return model


def last_loss(design, start, n_layers, rate, warmup, seed):
    """Train once; returns the mean loss of the last 20 steps, in nats."""
    torch.manual_seed(seed)
    model, losses = model_of(design, start, n_layers), []
    optimizer = torch.optim.Adam(
        model.parameters(), rate, betas=(0.9, 0.98), fused=True
    )
    with patched(AddNorm, "forward", DESIGNS[design]):
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = rate * warmup_cosine(step, warmup, STEPS)
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


def last_losses(design, start, n_layers, rate, warmup, seeds):
    return [last_loss(design, start, n_layers, rate, warmup, s) for s in seeds]


def settings():
    """Each design, start, depth, learning rate and warm-up that is tried."""
    warmup = RECIPE.warmup
    arms = [
        ("residual alone", "Xavier", 0),
        ("residual alone", "scaled", 0),
        ("residual alone", "zero", 0),
        ("post-norm", "Xavier", 0),
        ("pre-norm", "Xavier", 0),
        ("post-norm", "Xavier", warmup),
        ("pre-norm", "Xavier", warmup),
        ("residual alone", "Xavier", warmup),
        ("norm alone", "Xavier", warmup),
        ("neither", "Xavier", warmup),
        ("neither", "He", warmup),
        ("attention alone", "Xavier", warmup),
        ("post-norm", "scaled", 0),
    ]
    for (design, start, steps), rate in product(arms, RATES):
        yield design, start, 12, rate, steps
    for depth, (design, start, steps) in product((3, 6), arms[1:2] + arms[5:10]):
        yield design, start, depth, 0.002, steps
    for arm, rate in product((arms[1], arms[2], arms[5], arms[6]), RATES[:3]):
        yield *arm[:2], 24, rate, arm[2]


experiment = Experiment(
    __file__,
    {
        f"{design}, {start}, depth {depth}, rate {rate}, warm-up {warmup}": partial(
            last_losses, design, start, depth, rate, warmup
        )
        for design, start, depth, rate, warmup in settings()
    },
    seeds=(0, 1, 2),
    minutes=18,
)
