"""What does clipping buy? An RNN of radius 2 learns the sign of a number in its last input.

Lesson 2.1's task: 50 inputs, gradients that explode. Plain gradient descent with and without
clipping at 1, six learning rates, 200 steps on batches of 64, ten starts each. The share
right over the last 20 steps, on sequences that are new at every step.
"""

from functools import partial

import torch
import torch.nn.functional as F
from run import Experiment
from torch import nn

D_INPUT, D_HIDDEN, LENGTH, BATCH, STEPS = 8, 32, 50, 64, 200
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def rnn_of_radius(radius):
    layer = nn.RNN(D_INPUT, D_HIDDEN, batch_first=True)
    with torch.no_grad():
        weight = layer.weight_hh_l0.normal_()
        weight *= radius / torch.linalg.eigvals(weight).abs().max()
    return layer


def train(rate, clip, seed):
    """The share right over the last 20 of the steps."""
    torch.manual_seed(seed)
    layer, shares = rnn_of_radius(2.0), []
    optimizer = torch.optim.SGD(layer.parameters(), rate)
    for _ in range(STEPS):
        x = torch.randn(BATCH, LENGTH, D_INPUT)
        truth = x[:, -1, 0] > 0  # (B,)
        score = layer(x)[0][:, -1].sum(dim=-1)  # (B,)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(score, truth.float()).backward()
        nn.utils.clip_grad_norm_(layer.parameters(), clip)
        optimizer.step()
        shares.append(((score > 0) == truth).double().mean().item())
    return round(sum(shares[-20:]) / 20, 3)


def by_rate(clip, seeds):
    return {rate: [train(rate, clip, seed) for seed in seeds] for rate in RATES}


experiment = Experiment(
    __file__,
    {
        "unclipped": partial(by_rate, float("inf")),
        "clipped at 1": partial(by_rate, 1.0),
    },
    seeds=tuple(range(10)),
    minutes=2,
)
