"""Checks for lesson 4.2, the full Transformer."""

import torch

from tfbook.data.recorded import recorded
from tfbook.decoding import greedy_decode
from tfbook.exercises.report import (
    checked,
    function,
    outside,
    share,
    tensor,
    whole,
)
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import DecoderLayer, Transformer


@checked
def check_decoder_layer_parameters(answer):
    """The number of parameters of one decoder layer with d_model=6, d_ff=10."""
    layer = DecoderLayer(
        TransformerConfig(d_model=6, n_heads=1, n_layers=1, d_ff=10)
    )
    if whole(answer) != sum(p.numel() for p in layer.parameters()):
        return "two attentions of four projections, two linear maps, three norms; mind the biases"


@checked
def check_greedy(answer):
    """A function from (model, source, start, stop, max_length) to ids, without
    a cache.
    """
    greedy = function(answer, "model", "source", "start", "stop", "max_length")
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
        ids = greedy(model, source, 1, 2, 13)
        wanted = greedy_decode(model, source, 1, 2, 13)
        longer = (3, wanted.size(1) + 1)
        if getattr(ids, "shape", ()) == longer and (ids[:, 0] == 1).all():
            return "the ids come without the start symbol"
        tensor(ids, wanted, shape="(B, at most max_length)")
        if not torch.equal(ids, wanted):
            return "the ids differ: is everything from the stop symbol on replaced by pad?"


@checked
def check_without_positions(answer):
    """The share of sequences that the copy model gets right without positions."""
    answer = share(answer)
    found = recorded("4-code/exercises_4.json")["check_without_positions"]
    if not outside(answer, found, 0.008):
        return None
    if answer > max(found):
        return "more than can be copied without positions: is positions='none' in the config?"
    return "not quite none: count the whole copies of all unseen sequences"
