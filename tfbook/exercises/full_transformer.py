"""Checks for lesson 4.2, the full Transformer."""

import torch

from tfbook.decoding import greedy_decode
from tfbook.exercises.report import checked
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import DecoderLayer, Transformer


@checked
def check_decoder_layer_parameters(answer):
    """The number of parameters of one decoder layer with d_model=6, d_ff=10."""
    layer = DecoderLayer(
        TransformerConfig(d_model=6, n_heads=1, n_layers=1, d_ff=10)
    )
    if answer != sum(p.numel() for p in layer.parameters()):
        return "two attentions of four projections, two linear maps, three norms; mind the biases"


@checked
def check_greedy(answer):
    """A function from (model, source, start, stop, max_length) to ids, without
    a cache.
    """
    for seed in range(20):
        torch.manual_seed(seed)
        config = TransformerConfig(
            source_vocab=11,
            target_vocab=5,
            d_model=6,
            n_heads=3,
            n_layers=1,
            d_ff=7,
        )
        model = Transformer(config).eval()
        source = torch.randint(1, 11, (3, 7))  # (B, S)
        ids = answer(model, source, 1, 2, 13)
        wanted = greedy_decode(model, source, 1, 2, 13)
        if not isinstance(ids, torch.Tensor) or ids.dim() != 2:
            return "return a tensor of ids, (B, at most max_length)"
        if (
            ids.size(0) == 3
            and bool((ids[:, 0] == 1).all())
            and ids.size(1) == wanted.size(1) + 1
        ):
            return "the ids come without the start symbol"
        if ids.shape != wanted.shape:
            return (
                f"the shape should be {tuple(wanted.shape)}, got {tuple(ids.shape)}"
            )
        if not torch.equal(ids, wanted):
            return "the ids differ: is everything from the stop symbol on replaced by pad?"


@checked
def check_without_positions(answer):
    """The share of sequences that the copy model gets right without positions."""
    if not isinstance(answer, float) or not 0 <= answer <= 1:
        return "give a share from 0 to 1, as a float"
    if answer > 0.15:
        return "more than can be copied without positions: is positions='none' in the config?"
