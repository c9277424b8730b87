"""Linear attention against its equation, sum by sum, and its forms against each other."""

import copy

import pytest
import torch
from subjects import B, D, H, S, T, noise, vectors

from tfbook.variants import linear_attention
from tfbook.variants.linear import (
    LinearAttention,
    chunked_form,
    parallel_form,
    recurrent_form,
)


def heads(*lengths):
    return [
        noise(torch.empty(B, H, length, width, dtype=torch.float64), seed)
        for seed, (length, width) in enumerate(
            zip(lengths, (D, D, D + 1), strict=True)
        )
    ]


def equation(query, key, value, causal):
    """Katharopoulos et al. 2020, equations 4 and 9, one query at a time."""

    def phi(x):
        return torch.where(x > 0, x + 1, x.exp())

    output = torch.empty(*query.shape[:3], value.size(-1), dtype=query.dtype)
    for t in range(query.size(2)):
        n = t + 1 if causal else key.size(2)
        similarity = torch.stack(
            [(phi(query[:, :, t]) * phi(key[:, :, s])).sum(-1) for s in range(n)],
            -1,
        )  # (B, H, n)
        sums = sum(similarity[..., s, None] * value[:, :, s] for s in range(n))
        output[:, :, t] = sums / similarity.sum(-1, keepdim=True)
    return output


def test_it_is_its_equation():
    inputs = heads(T, S, S)
    wanted = equation(*inputs, causal=False)
    assert (linear_attention(*inputs) - wanted).abs().max() <= 1e-12


FORMS = {
    "parallel": parallel_form,
    "recurrent": recurrent_form,
    "causal": lambda *x: linear_attention(*x, causal=True),
    **{
        f"chunks of {n}": lambda *x, n=n: chunked_form(*x, chunk=n)[0]
        for n in (1, 2, 3, 10, 64)
    },
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("length", [1, 10, 13])
def test_each_causal_form_is_its_equation(name, length):
    inputs = [x.requires_grad_() for x in heads(length, length, length)]
    output, wanted = FORMS[name](*inputs), equation(*inputs, causal=True)
    assert (output - wanted).abs().max() <= 1e-12
    gradients = [
        torch.autograd.grad((y * noise(y)).sum(), inputs) for y in (output, wanted)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() <= 1e-11


def test_a_state_continues_a_sequence_and_does_not_grow():
    inputs = heads(13, 13, 13)
    whole, last = chunked_form(*inputs, chunk=4)
    first, state = chunked_form(*(x[:, :, :5] for x in inputs))
    rest, end = chunked_form(*(x[:, :, 5:] for x in inputs), state)
    assert (torch.cat((first, rest), 2) - whole).abs().max() <= 1e-12
    assert state.shape == end.shape == (B, H, D, D + 2)
    assert (end - last).abs().max() <= 1e-12


def test_each_output_is_a_mean_of_values():
    query, key, value = heads(13, 13, 13)
    ones = torch.ones_like(value)
    assert (linear_attention(query, key, ones) - 1).abs().max() <= 1e-12
    assert (linear_attention(query, key, ones, True) - 1).abs().max() <= 1e-12
    first = linear_attention(query, key, value, True)[:, :, 0]
    assert (first - value[:, :, 0]).abs().max() <= 1e-12


def test_a_long_sum_is_kept_in_32_bits():
    """In bfloat16, 256 + 1 is 256."""
    torch.manual_seed(0)
    layer = LinearAttention(H * D, H, 1).bfloat16()
    x = vectors(997, torch.bfloat16)
    wanted = copy.deepcopy(layer).double()(*[x.double()] * 3)[0]
    apart = (layer(x, x, x)[0].double() - wanted).abs().max()
    assert apart < 0.02 * wanted.abs().max()


def test_the_layer_refuses_what_it_cannot_do():
    torch.manual_seed(0)
    layer, x = LinearAttention(H * D, H, 1).double(), vectors(T, torch.float64)
    with pytest.raises(ValueError, match=r"^need_weights must be False"):
        layer(x, x, x, need_weights=True)
    keep = torch.ones(B, 1, 1, T, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=r"^mask must be causal_mask\(length, past\)"
    ):
        layer(x, x, x, keep)


def test_bad_input_is_named():
    query, key, value = heads(T, S, S)
    with pytest.raises(ValueError, match=r"^key must have the query's B, H and D"):
        linear_attention(query, value, value)
    with pytest.raises(ValueError, match=r"^value must have the key's B, H and S"):
        linear_attention(query, key, value[:, :, 1:])
    with pytest.raises(TypeError, match=r"^query must be a torch.Tensor"):
        linear_attention([1.0], key, value)
    with pytest.raises(
        ValueError, match=r"^key must have as many positions as query"
    ):
        linear_attention(query, key, value, causal=True)
    with pytest.raises(ValueError, match=r"^chunk must be at least 1"):
        chunked_form(*heads(T, T, T), chunk=0)
