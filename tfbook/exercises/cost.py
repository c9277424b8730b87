"""Checks for lesson 3.7, what it costs."""

import functools

import torch

from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    number,
    numbers,
    whole,
)
from tfbook.inspect.costs import count_operations
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import Encoder, Transformer


@checked
def check_layer_flops(answer):
    """FLOPs of a layer with d = 768 and n = 1024, and the share of the pairs."""
    flops, share = numbers(
        answer, "the number of operations", "the share of the pairs"
    )
    n, d = 1024, 768
    layer, pairs = 24 * n * d**2 + 4 * n**2 * d, 4 * n**2 * d
    if abs(flops - layer) > 0.01 * layer:
        near = abs(2 * flops - layer) < 0.01 * layer
        return (
            "a multiplication and an addition are two operations"
            if near
            else "put n = 1024 and d = 768 into the formula of a layer"
        )
    if abs(share - pairs / layer) > 0.005:
        return "the share is 4 n² d of the whole, as a number from 0 to 1"


@checked
def check_model_flops(answer):
    """A function from config, source length and target length to FLOPs."""
    flops = function(answer, "config", "source_length", "target_length")
    for s, t, layers, d_ff in ((7, 5, 1, 10), (3, 11, 2, 34)):
        config = TransformerConfig(
            source_vocab=13,
            target_vocab=17,
            d_model=6,
            n_heads=3,
            n_layers=layers,
            d_ff=d_ff,
        )
        model = Transformer(config).eval()
        ids = torch.ones(1, s, dtype=torch.long), torch.ones(1, t, dtype=torch.long)
        wanted = count_operations(functools.partial(model, *ids))
        result = number(flops(config, s, t), RESULT)
        if result == wanted - 2 * t * 6 * 17:
            return "the output layer is missing: d_model to target_vocab, at each position"
        if result != wanted:
            return (
                f"source {s}, target {t}, {layers} layers, d_ff {d_ff}: "
                f"counted {wanted:,}, got {result:,.0f}"
            )


@checked
def check_crossing(answer):
    """The length at which pairs overtake the rest, with d_ff = 8 d and d = 64."""
    layer = Encoder(TransformerConfig(d_model=64, n_heads=1, n_layers=1, d_ff=512))
    one, two = (_operations(layer.eval(), n) for n in (1, 2))
    pairs = (two - 2 * one) // 2  # one position is one pair, two positions are four
    if whole(answer) != (one - pairs) // pairs:
        return "set 8 n d² + 4 n d d_ff equal to 4 n² d, with d_ff = 8 d"


def _operations(layer, n):
    x = torch.randn(1, n, 64)
    return count_operations(lambda: layer(x))
