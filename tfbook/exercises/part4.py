"""Part 4, Code: checks for lessons 4.1 and 4.2."""

import torch

from tfbook.decoding import greedy_decode
from tfbook.exercises.report import checked
from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import DecoderLayer, Transformer


@checked
def check_article_parameters(answer):
    """4.1: the number of parameters of the article's model with 7 inputs and 12
    outputs.
    """
    linears = torch.nn.ModuleList([torch.nn.Linear(7, 12), torch.nn.Linear(12, 12)])
    if answer != sum(p.numel() for p in linears.parameters()):
        return "each linear layer holds a weight for every input of every output, and biases"


@checked
def check_split_heads(answer):
    """4.1: a function from (B, T, d_model) and n_heads to (B, H, T, d_head)."""
    for batch, length, n_heads, d_head in (
        (2, 3, 5, 7),
        (3, 7, 2, 5),
        (1, 2, 1, 3),
    ):
        x = torch.randn(batch, length, n_heads * d_head)  # (B, T, d_model)
        heads = answer(x, n_heads)
        if not isinstance(heads, torch.Tensor) or heads.shape != (
            batch,
            n_heads,
            length,
            d_head,
        ):
            return f"the shape should be (B, H, T, d_head) = {(batch, n_heads, length, d_head)}"
        for h in range(n_heads):
            if not torch.equal(heads[:, h], x[..., h * d_head : (h + 1) * d_head]):
                return f"the shape is right, but head {h} does not hold its own features"


@checked
def check_reach(answer):
    """4.1: how many inputs reach the last output after 4 layers of looking one
    place left.
    """
    reach = torch.eye(10)
    for _ in range(4):
        reach = reach @ (
            torch.eye(10) + torch.eye(10).roll(1, 0).tril()
        )  # (10, 10)
    if answer != int((reach[9] > 0).sum()):
        return "give the count for position 9; one layer reaches 2, so what does the second add?"


@checked
def check_decoder_layer_parameters(answer):
    """4.2: the number of parameters of one decoder layer with d_model=6, d_ff=10."""
    layer = DecoderLayer(
        TransformerConfig(d_model=6, n_heads=1, n_layers=1, d_ff=10)
    )
    if answer != sum(p.numel() for p in layer.parameters()):
        return "two attentions of four projections, two linear maps, three norms; mind the biases"


@checked
def check_greedy(answer):
    """4.2: a function from (model, source, start, stop, max_length) to ids, without
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
    """4.2: the share of sequences that the copy model gets right without positions."""
    if not isinstance(answer, float) or not 0 <= answer <= 1:
        return "give a share from 0 to 1, as a float"
    if answer > 0.15:
        return "more than can be copied without positions: is positions='none' in the config?"
