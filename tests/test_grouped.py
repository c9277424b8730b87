"""Grouped queries, QK-norm and the sink against PyTorch's own attention, in float64."""

import pytest
import torch
import torch.nn.functional as F
from subjects import B, S, T, grown, noise
from torch import nn

from tfbook import KeyValueCache, MultiHeadAttention
from tfbook.variants import GroupedQueryAttention, Rotary

WIDTH, HEADS = 42, 6  # heads of 7, or with d_attention=60 of 10


def inputs():
    return [
        noise(torch.empty(B, length, WIDTH, dtype=torch.float64), seed)
        for seed, length in ((1, T), (2, S), (3, S))
    ]


def attention(n_key_heads=2, **others):
    torch.manual_seed(0)
    return grown(
        GroupedQueryAttention(WIDTH, HEADS, n_key_heads, **others).double()
    )


@pytest.mark.parametrize("n_key_heads", [1, 2, 3, 6])
@pytest.mark.parametrize("d_attention", [None, 60])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_pytorchs(n_key_heads, d_attention, masked):
    ours = attention(n_key_heads, d_attention=d_attention)
    query, key, value = inputs()
    mask = torch.rand(B, 1, T, S) < 0.7 if masked else None
    mask = mask if mask is None else mask | (torch.arange(S) == 0)
    d_head = (d_attention or WIDTH) // HEADS
    heads = [
        projection(x)
        .view(B, -1, n, d_head)
        .transpose(1, 2)  # (B, heads, length, D)
        for projection, x, n in (
            (ours.query_projection, query, HEADS),
            (ours.key_projection, key, n_key_heads),
            (ours.value_projection, value, n_key_heads),
        )
    ]
    wanted = F.scaled_dot_product_attention(*heads, mask, enable_gqa=True)
    wanted = ours.output_projection(wanted.transpose(1, 2).reshape(B, T, -1))
    output, weights = ours(query, key, value, mask, need_weights=True)
    assert (output - wanted).abs().max() <= 1e-12
    assert weights.shape == (B, HEADS, T, S)
    assert (weights.sum(-1) - 1).abs().max() <= 1e-12
    assert ours(query, key, value, mask)[1] is None


def test_with_as_many_heads_of_keys_it_is_multi_head_attention():
    ours, plain = attention(6), MultiHeadAttention(WIDTH, HEADS).double()
    plain.load_state_dict(ours.state_dict())
    assert (ours(*inputs())[0] - plain(*inputs())[0]).abs().max() <= 1e-12


def test_it_is_multi_head_attention_whose_heads_of_keys_repeat():
    ours, plain = attention(2), MultiHeadAttention(WIDTH, HEADS).double()
    state = ours.state_dict()
    for name in ("key_projection", "value_projection"):
        for kind in ("weight", "bias"):
            heads = state[f"{name}.{kind}"].unflatten(0, (2, 7))
            each = [heads[i * 2 // HEADS] for i in range(HEADS)]  # equation above
            state[f"{name}.{kind}"] = torch.cat(each)
    plain.load_state_dict(state)
    output, weights = ours(*inputs(), need_weights=True)
    wanted, theirs = plain(*inputs(), need_weights=True)
    assert (output - wanted).abs().max() <= 1e-12
    assert (weights - theirs).abs().max() <= 1e-12


def test_the_cache_holds_the_heads_of_keys_alone():
    ours, cache = attention(2), KeyValueCache()
    x = inputs()[0]
    ours(x, x, x, cache=cache.layers[0].past)
    assert [tuple(kept.shape) for kept in cache.tensors()] == [(B, 2, T, 7)] * 2


def test_a_sink_is_pytorchs_zero_key():
    ours = attention(6, sink=True)
    theirs = nn.MultiheadAttention(
        WIDTH, HEADS, add_zero_attn=True, batch_first=True
    ).double()
    parts = [ours.query_projection, ours.key_projection, ours.value_projection]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    theirs.out_proj.load_state_dict(ours.output_projection.state_dict())
    mask = torch.rand(T, S) < 0.6
    for hidden in (None, mask):
        wanted, shares = theirs(
            *inputs(),
            attn_mask=None if hidden is None else ~hidden,
            average_attn_weights=False,
        )
        output, weights = ours(*inputs(), hidden, need_weights=True)
        assert (output - wanted).abs().max() <= 1e-12
        assert (weights - shares[..., :-1]).abs().max() <= 1e-12
        assert (weights.sum(-1) < 1).all()


def test_a_sink_alone_takes_everything():
    """With no key to see, what is left is the output's bias."""
    ours = attention(2, sink=True)
    nothing = torch.zeros(1, 1, T, S, dtype=torch.bool)
    output, _ = ours(*inputs(), nothing)
    assert (output - ours.output_projection.bias).abs().max() <= 1e-12


def test_with_qk_norm_the_length_of_a_key_does_not_matter():
    ours, plain = attention(2, qk_norm=True), attention(2)
    for layer in (ours, plain):
        for part in (layer.query_projection, layer.key_projection):
            nn.init.zeros_(part.bias)
    query, key, value = inputs()
    for layer, same in ((ours, True), (plain, False)):
        before, after = (
            layer(query, key, value)[0],
            layer(query, 100 * key, value)[0],
        )
        # the small number under the root is all that is left
        assert ((before - after).abs().max() < 1e-4) == same


def test_with_qk_norm_each_heads_queries_are_normed_before_they_turn():
    ours = attention(2, d_attention=60, qk_norm=True, rotary=Rotary(10))
    _, key, value = inputs()
    keys, _ = ours.keys_and_values(key, value, past=5)
    raw = ours.key_projection(key).unflatten(-1, (2, 10)).transpose(1, 2)
    normed = F.rms_norm(raw, (10,), ours.key_norm.weight, 1e-6)
    assert (keys - Rotary(10)(normed, 5)).abs().max() <= 1e-12
    assert not torch.allclose(ours.key_norm.weight, torch.ones(10).double())


@pytest.mark.parametrize("n_key_heads", [4, 5, 0, -1, 12, 2.0, None, "2"])
def test_heads_of_keys_that_do_not_divide_the_heads_are_refused(n_key_heads):
    with pytest.raises((ValueError, TypeError), match=r"^n_key_heads must .* got"):
        GroupedQueryAttention(WIDTH, HEADS, n_key_heads)


@pytest.mark.parametrize(
    ("name", "value"),
    [("d_model", 0), ("n_heads", 1.5), ("d_attention", 40), ("dropout", 1.0)],
)
def test_other_faults_are_named(name, value):
    arguments = {"d_model": WIDTH, "n_heads": HEADS, "n_key_heads": 1, name: value}
    with pytest.raises((ValueError, TypeError), match=f"^{name} must .* got"):
        GroupedQueryAttention(**arguments)
