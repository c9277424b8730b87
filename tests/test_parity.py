"""Ours against PyTorch's own layers in float64: outputs and gradients, of every input and every
parameter, on designs chosen pairwise with random sizes. Weights are copied here, by name.

`python tests/test_parity.py` prints the largest differences.
"""

import functools
import warnings

import pytest
import torch
import torch.nn.functional as F
from pairwise import pairwise
from reference import (
    DESIGN,
    MASKS,
    MEMORY_MASKS,
    Draw,
    assert_complete,
    attention_names,
    copied,
    differences,
    has_activation,
    recurrent_names,
    shaken,
    stack_names,
)
from torch import nn

import tfbook
from tfbook.model.layers import InputEmbedding
from tfbook.pretrained import load_torch_transformer

TOLERANCE = 1e-10


# The oracles: each takes one configuration and returns the two differences.


def attention_function(draw):
    width = draw.d_model // draw.n_heads
    inputs = [
        draw.vectors(length, draw.n_heads * width).unflatten(
            -1, (draw.n_heads, width)
        )
        for length in (draw.target, draw.source, draw.source)
    ]
    query, key, value = (
        x.transpose(1, 2).detach().requires_grad_() for x in inputs
    )
    mask, _ = draw.masks(draw["memory_mask"], draw.target, draw.source)
    theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    ours, _ = tfbook.scaled_dot_product_attention(query, key, value, mask)
    return differences([ours], [theirs], (query, key, value))


def multi_head_attention(draw):
    theirs = nn.MultiheadAttention(
        draw.d_model, draw.n_heads, batch_first=True
    ).double()
    ours = tfbook.MultiHeadAttention(draw.d_model, draw.n_heads).double()
    pairs = copied(attention_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    query, key, value = (
        draw.vectors(n) for n in (draw.target, draw.source, draw.source)
    )
    mask, (attn_mask, padding) = draw.masks(
        draw["memory_mask"], draw.target, draw.source
    )
    with_weights = draw["with_weights"]
    got = ours(query, key, value, mask, need_weights=with_weights)
    wanted = theirs(
        query,
        key,
        value,
        padding,
        with_weights,
        attn_mask,
        average_attn_weights=False,
    )
    both = slice(2 if with_weights else 1)
    return differences(got[both], wanted[both], (query, key, value), pairs)


def encoder_stack(draw):
    design, final = draw.torch_design(), final_norm(draw)
    theirs = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**design),
        draw["n_layers"],
        final,
        enable_nested_tensor=False,
    )
    ours = tfbook.Encoder(draw.config(final_norm=final is not None)).double()
    pairs = copied(stack_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x = draw.vectors(draw.source)
    mask, (attn_mask, padding) = draw.masks(draw["mask"], draw.source, draw.source)
    wanted = batch_first(
        theirs, design, x, mask=attn_mask, src_key_padding_mask=padding
    )
    return differences([ours(x, mask)], [wanted], [x], pairs)


def decoder_stack(draw):
    design, final = draw.torch_design(), final_norm(draw)
    theirs = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**design), draw["n_layers"], final
    )
    ours = tfbook.Decoder(draw.config(final_norm=final is not None)).double()
    pairs = copied(stack_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x, memory = draw.vectors(draw.target), draw.vectors(draw.source)
    masks, theirs_masks = decoder_masks(draw)
    wanted = batch_first(theirs, design, x, memory, **theirs_masks)
    return differences([ours(x, memory, *masks)], [wanted], [x, memory], pairs)


def whole_transformer(draw, load=False):
    depths, design = (draw["n_layers"], draw["decoder_layers"]), draw.torch_design()
    theirs = shaken(nn.Transformer(**torch_sizes(design, depths)))
    theirs.encoder.enable_nested_tensor = False
    if load:
        stacks = load_torch_transformer(theirs)
    else:  # its final norms are there in post-norm too
        kinds = (tfbook.Encoder, tfbook.Decoder)
        stacks = [
            kind(draw.config(n_layers=depth, final_norm=True)).double()
            for kind, depth in zip(kinds, depths, strict=True)
        ]
    encoder, decoder = stacks
    pairs = [
        *stack_names(encoder, theirs.encoder),
        *stack_names(decoder, theirs.decoder),
    ]
    pairs = pairs if load else copied(pairs)
    assert_complete(pairs, nn.ModuleList(stacks), theirs)
    source, target = draw.vectors(draw.source), draw.vectors(draw.target)
    source_mask, (src_mask, src_padding) = draw.masks(
        draw["source_mask"], draw.source, draw.source
    )
    masks, theirs_masks = decoder_masks(draw)
    wanted = batch_first(
        theirs,
        design,
        source,
        target,
        src_mask=src_mask,
        src_key_padding_mask=src_padding,
        **theirs_masks,
    )
    got = decoder(target, encoder(source, source_mask), *masks)
    return differences([got], [wanted], [source, target], pairs)


def final_norm(draw):
    """PyTorch's final norm, or None."""
    width = draw.d_model
    return nn.LayerNorm(width, dtype=torch.float64) if draw["final_norm"] else None


def decoder_masks(draw):
    """Our two masks of a decoder, and PyTorch's four by their keywords."""
    mask, (attn_mask, padding) = draw.masks(draw["mask"], draw.target, draw.target)
    memory_mask, (memory_attn_mask, memory_padding) = draw.masks(
        draw["memory_mask"], draw.target, draw.source
    )
    return (mask, memory_mask), {
        "tgt_mask": attn_mask,
        "tgt_key_padding_mask": padding,
        "memory_mask": memory_attn_mask,
        "memory_key_padding_mask": memory_padding,
    }


def recurrent(kind, draw):
    d_input, d_hidden = draw.sample((17, 19, 23, 29), 2)
    ours = getattr(tfbook, kind)(d_input, d_hidden).double()
    theirs = getattr(nn, kind)(d_input, d_hidden, batch_first=True).double()
    pairs = copied(recurrent_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x = draw.vectors(draw.target, d_input)
    state = [draw.vectors(1, d_hidden) for _ in range(2 if kind == "LSTM" else 1)]
    state = state if draw["with_state"] else []
    layers_first = [h.transpose(0, 1) for h in state]  # (1, B, d_hidden)
    rows_first = [h[:, 0] for h in state]  # (B, d_hidden)
    if kind == "LSTM":
        got, last = ours(x, rows_first or None)
        wanted, their_last = theirs(x, layers_first or None)
    else:
        got, *last = ours(x, *rows_first)
        wanted, *their_last = theirs(x, *layers_first)
    their_last = [h[0] for h in their_last]
    return differences([got, *last], [wanted, *their_last], [x, *state], pairs)


def torch_sizes(design, depths):
    """The keywords of nn.Transformer for a layer's design and the two depths."""
    return {
        **design,
        "num_encoder_layers": depths[0],
        "num_decoder_layers": depths[1],
    }


def batch_first(theirs, design, *inputs, **masks):
    """PyTorch's answer with the batch in front, whatever it was built to expect."""
    if design["batch_first"]:
        return theirs(*inputs, **masks)
    return theirs(*(x.transpose(0, 1) for x in inputs), **masks).transpose(0, 1)


DECODER = {"mask": MASKS, "memory_mask": MEMORY_MASKS}
FINAL = {"final_norm": (True, False)}
WHOLE = {
    **DESIGN,
    "decoder_layers": (1, 2),
    "source_mask": ("padding", "each head"),
}
# the loader does not see masks
LOADED = {**WHOLE, "mask": ("both",), "memory_mask": ("padding",)}
RECURRENT = {"with_state": (True, False), "again": range(5)}  # again: other sizes


def without_module(case):
    """A module is for the loader alone: nn.TransformerDecoder forgets it when it copies its
    layers, and computes relu.
    """
    return has_activation(case) and case["given_as"] != "module"


ORACLES = {
    name: (oracle, pairwise(factors, allowed))
    for name, oracle, factors, allowed in (
        (
            "F.scaled_dot_product_attention",
            attention_function,
            {"memory_mask": MEMORY_MASKS, "again": range(3)},
            lambda case: True,
        ),
        (
            "nn.MultiheadAttention",
            multi_head_attention,
            {"memory_mask": MEMORY_MASKS, "with_weights": (True, False)},
            lambda case: True,
        ),
        (
            "nn.TransformerEncoder",
            encoder_stack,
            {**DESIGN, **FINAL, "mask": MASKS},
            without_module,
        ),
        (
            "nn.TransformerDecoder",
            decoder_stack,
            {**DESIGN, **FINAL, **DECODER},
            without_module,
        ),
        ("nn.Transformer", whole_transformer, {**WHOLE, **DECODER}, without_module),
        (
            "nn.RNN",
            functools.partial(recurrent, "RNN"),
            RECURRENT,
            lambda case: True,
        ),
        (
            "nn.LSTM",
            functools.partial(recurrent, "LSTM"),
            RECURRENT,
            lambda case: True,
        ),
        (
            "load_torch_transformer",
            functools.partial(whole_transformer, load=True),
            LOADED,
            has_activation,
        ),
    )
}


@pytest.mark.filterwarnings(
    "ignore:enable_nested_tensor is True"
)  # of its own constructor
@pytest.mark.parametrize(
    ("oracle", "seed"),
    [
        (name, seed)
        for name, (_, cases) in ORACLES.items()
        for seed in range(len(cases))
    ],
)
def test_parity(oracle, seed, record_property):
    output, gradient = farthest(oracle, seed)
    record_property("largest output difference", output)
    record_property("largest gradient difference", gradient)
    assert output <= TOLERANCE, f"outputs differ by {output:.1e}"
    assert gradient <= TOLERANCE, f"gradients differ by {gradient:.1e}"


def farthest(name, seed):
    oracle, cases = ORACLES[name]
    return oracle(Draw(seed, cases[seed]))


@pytest.mark.parametrize("scaled", [True, False])
def test_embeddings_are_scaled_by_the_root_of_the_width(scaled):
    """Section 3.4 of the paper; GPT-2 and others leave the factor out."""
    config = tfbook.TransformerConfig(
        d_model=30, n_heads=5, dropout=0.0, positions="none"
    )
    embedding = InputEmbedding(17, config, scaled=scaled).double()
    ids = torch.arange(1, 16).view(3, 5)
    wanted = F.embedding(ids, embedding.tokens.weight) * (30**0.5 if scaled else 1)
    torch.testing.assert_close(embedding(ids), wanted, rtol=0, atol=TOLERANCE)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "enable_nested_tensor is True")
    print(f"{'oracle':32}{'configurations':>16}{'outputs':>12}{'gradients':>12}")
    for name, (_, cases) in ORACLES.items():
        apart = [farthest(name, seed) for seed in range(len(cases))]
        output, gradient = (max(column) for column in zip(*apart, strict=True))
        print(f"{name:32}{len(cases):16}{output:12.1e}{gradient:12.1e}")
