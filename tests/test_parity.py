"""Ours against PyTorch's own layers, on random configurations in float64: outputs and gradients,
of every input and every parameter. Weights are copied here, by name.

`python tests/test_parity.py` prints the largest differences.
"""

import functools
import warnings

import pytest
import torch
import torch.nn.functional as F
from reference import (
    Draw,
    assert_complete,
    attention_names,
    copied,
    differences,
    recurrent_names,
    shaken,
    stack_names,
)
from torch import nn

import tfbook
from tfbook.fast.layers import fused_attention
from tfbook.pretrained import load_torch_transformer

TOLERANCE = 1e-10


# The oracles: each draws one configuration and returns the two differences.


def attention_function(seed):
    draw = Draw(seed)
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
    mask, _ = draw.masks(draw.target, draw.source)
    theirs = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    shown, _ = tfbook.scaled_dot_product_attention(query, key, value, mask)
    fused, _ = fused_attention(query, key, value, mask)
    return differences([shown, fused], [theirs, theirs], (query, key, value))


def multi_head_attention(seed):
    draw = Draw(seed)
    theirs = nn.MultiheadAttention(
        draw.d_model, draw.n_heads, batch_first=True
    ).double()
    ours = tfbook.MultiHeadAttention(draw.d_model, draw.n_heads).double()
    pairs = copied(attention_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    query, key, value = (
        draw.vectors(n) for n in (draw.target, draw.source, draw.source)
    )
    mask, (attn_mask, padding) = draw.masks(draw.target, draw.source)
    with_weights = draw.random() < 0.5
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


def encoder_stack(seed):
    draw = Draw(seed)
    n_layers, design = draw.randint(1, 3), draw.torch_design()
    final = (
        nn.LayerNorm(draw.d_model, dtype=torch.float64)
        if draw.random() < 0.5
        else None
    )
    theirs = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(**design),
        n_layers,
        final,
        enable_nested_tensor=False,
    )
    ours = tfbook.Encoder(
        draw.config(n_layers, final_norm=final is not None)
    ).double()
    pairs = copied(stack_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x = draw.vectors(draw.source)
    mask, (attn_mask, padding) = draw.masks(draw.source, draw.source)
    wanted = batch_first(
        theirs, design, x, mask=attn_mask, src_key_padding_mask=padding
    )
    return differences([ours(x, mask)], [wanted], [x], pairs)


def decoder_stack(seed):
    draw = Draw(seed)
    n_layers, design = draw.randint(1, 3), draw.torch_design()
    final = (
        nn.LayerNorm(draw.d_model, dtype=torch.float64)
        if draw.random() < 0.5
        else None
    )
    theirs = nn.TransformerDecoder(
        nn.TransformerDecoderLayer(**design), n_layers, final
    )
    ours = tfbook.Decoder(
        draw.config(n_layers, final_norm=final is not None)
    ).double()
    pairs = copied(stack_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x, memory = draw.vectors(draw.target), draw.vectors(draw.source)
    mask, (attn_mask, padding) = draw.masks(draw.target, draw.target)
    memory_mask, (memory_attn_mask, memory_padding) = draw.masks(
        draw.target, draw.source
    )
    wanted = batch_first(
        theirs,
        design,
        x,
        memory,
        tgt_mask=attn_mask,
        tgt_key_padding_mask=padding,
        memory_mask=memory_attn_mask,
        memory_key_padding_mask=memory_padding,
    )
    return differences(
        [ours(x, memory, mask, memory_mask)], [wanted], [x, memory], pairs
    )


def whole_transformer(seed, load=False):
    draw = Draw(seed)
    depths, design = (
        (draw.randint(1, 3), draw.randint(1, 3)),
        draw.torch_design(load),
    )
    theirs = shaken(nn.Transformer(**torch_sizes(design, depths)))
    theirs.encoder.enable_nested_tensor = False
    if load:
        stacks = load_torch_transformer(theirs)
    else:  # its final norms are there in post-norm too
        kinds = (tfbook.Encoder, tfbook.Decoder)
        stacks = [
            kind(draw.config(depth, final_norm=True)).double()
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
    source_mask, (src_mask, src_padding) = draw.masks(draw.source, draw.source)
    mask, (tgt_mask, tgt_padding) = draw.masks(draw.target, draw.target)
    memory_mask, (memory_attn_mask, memory_padding) = draw.masks(
        draw.target, draw.source
    )
    wanted = batch_first(
        theirs,
        design,
        source,
        target,
        src_mask=src_mask,
        src_key_padding_mask=src_padding,
        tgt_mask=tgt_mask,
        tgt_key_padding_mask=tgt_padding,
        memory_mask=memory_attn_mask,
        memory_key_padding_mask=memory_padding,
    )
    got = decoder(target, encoder(source, source_mask), mask, memory_mask)
    return differences([got], [wanted], [source, target], pairs)


def recurrent(kind, seed):
    draw = Draw(seed)
    d_input, d_hidden = draw.sample((17, 19, 23, 29), 2)
    ours = getattr(tfbook, kind)(d_input, d_hidden).double()
    theirs = getattr(nn, kind)(d_input, d_hidden, batch_first=True).double()
    pairs = copied(recurrent_names(ours, shaken(theirs)))
    assert_complete(pairs, ours, theirs)
    x = draw.vectors(draw.target, d_input)
    state = [draw.vectors(1, d_hidden) for _ in range(2 if kind == "LSTM" else 1)]
    state = state if draw.random() < 0.7 else []
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


ORACLES = {
    "F.scaled_dot_product_attention": (attention_function, 40),
    "nn.MultiheadAttention": (multi_head_attention, 40),
    "nn.TransformerEncoder": (encoder_stack, 40),
    "nn.TransformerDecoder": (decoder_stack, 40),
    "nn.Transformer": (whole_transformer, 50),
    "nn.RNN": (functools.partial(recurrent, "RNN"), 20),
    "nn.LSTM": (functools.partial(recurrent, "LSTM"), 20),
    "load_torch_transformer": (functools.partial(whole_transformer, load=True), 50),
}


@pytest.mark.filterwarnings(
    "ignore:enable_nested_tensor is True"
)  # of its own constructor
@pytest.mark.parametrize(
    ("oracle", "seed"),
    [(name, seed) for name, (_, n) in ORACLES.items() for seed in range(n)],
)
def test_parity(oracle, seed, record_property):
    output, gradient = ORACLES[oracle][0](seed)
    record_property("largest output difference", output)
    record_property("largest gradient difference", gradient)
    assert output <= TOLERANCE, f"outputs differ by {output:.1e}"
    assert gradient <= TOLERANCE, f"gradients differ by {gradient:.1e}"


def test_there_are_200_configurations_beside_the_loader():
    assert (
        sum(
            n
            for name, (_, n) in ORACLES.items()
            if name != "load_torch_transformer"
        )
        >= 200
    )


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "enable_nested_tensor is True")
    print(f"{'oracle':32}{'configurations':>16}{'outputs':>12}{'gradients':>12}")
    for name, (oracle, n) in ORACLES.items():
        apart = [max(column) for column in zip(*map(oracle, range(n)), strict=True)]
        print(f"{name:32}{n:16}{apart[0]:12.1e}{apart[1]:12.1e}")
