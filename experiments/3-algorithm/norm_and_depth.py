"""What keeps a deep stack trainable? Residual, norm, how the branches start, and warm-up.

Encoders of 12 layers learn to name, at each of eight positions, the first symbol, at three
or four learning rates, and some with 3, 6 and 24 layers at one. Three seeds, 150 steps each,
gradients clipped to length 1; the mean loss of the last 20 steps, ln 8 = 2.08 being a guess.
A design says where residual and norm stand. A start says what the weights are before the
first step: Xavier's, as the library has it; the same with the last matrix of each branch
times 1/sqrt(2N), or zero; or He's in the feed-forward, which keep a plain stack's vectors in
size.
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


def model_of(design, start, n_layers):
    """Embedding, encoder, output. Only pre-norm needs a norm behind its last layer."""
    size = RECIPE.architecture() | {"n_layers": n_layers}
    config = TransformerConfig(**size, final_norm=design == "pre-norm")
    output = nn.Linear(config.d_model, SYMBOLS)
    way_in, encoder = InputEmbedding(SYMBOLS, config), Encoder(config)
    model = init_weights(nn.Sequential(way_in, encoder, output))
    factor = {"scaled": (2 * n_layers) ** -0.5, "zero": 0.0}.get(start, 1.0)
    for layer in encoder.layers:
        first, second = layer.feed_forward.linear_1, layer.feed_forward.linear_2
        if start == "He":  # He et al. 2015, equation 10
            nn.init.kaiming_normal_(first.weight, nonlinearity="relu")
            nn.init.kaiming_normal_(second.weight, nonlinearity="linear")
        for last in (layer.self_attention.output_projection, second):
            last.weight.data *= factor
    return model


def last_loss(design, start, n_layers, rate, warmup, seed):
    """Train once; returns the mean loss of the last 20 steps, in nats."""
    torch.manual_seed(seed)
    model, losses = model_of(design, start, n_layers), []
    optimizer = torch.optim.Adam(
        model.parameters(), rate, betas=(0.9, 0.98), fused=True
    )
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


def last_losses(design, start, n_layers, rate, warmup, seeds):
    return [last_loss(design, start, n_layers, rate, warmup, s) for s in seeds]


def settings():
    """Each design, start, depth, learning rate and warm-up that is tried."""
    usual, warmup = RECIPE.learning_rate, RECIPE.warmup
    main = [
        ("residual alone", "scaled", 0),
        ("residual alone", "zero", 0),
        ("post-norm", "Xavier", 0),
        ("post-norm", "Xavier", warmup),
        ("pre-norm", "Xavier", 0),
        ("pre-norm", "Xavier", warmup),
    ]
    lame = [
        (design, "Xavier", warmup)
        for design in ("residual alone", "norm alone", "neither")
    ]
    tried = [
        *product(main + lame + [("neither", "He", warmup)], [12], (1, 1 / 2, 2)),
        *product(main, [12], [4]),
        *product(main[::2] + main[5:] + lame, (3, 6), [1]),
        *product(main[:2] + main[3::2], [24], [1 / 2]),
    ]
    for (design, start, steps), depth, factor in tried:
        yield design, start, depth, factor * usual, steps


experiment = Experiment(
    __file__,
    {
        f"{design}, {start}, depth {depth}, rate {rate}, warm-up {warmup}": partial(
            last_losses, design, start, depth, rate, warmup
        )
        for design, start, depth, rate, warmup in settings()
    },
    seeds=(0, 1, 2),
    minutes=8,
    processes=2,
)
