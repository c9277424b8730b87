"""Attention where it was found wrong: long vectors in 16 bits, traced and exported models,
quantised layers, maps of a model that is still in training.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tfbook import (
    Encoder,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    scaled_dot_product_attention,
)
from tfbook.inspect.attention_maps import attention_maps, image_attention_maps
from tfbook.model.gpt import GPT
from tfbook.model.vit import ViT

SOURCE_VOCAB, V, B, S, T = 17, 13, 3, 11, 7


def model_of(kind=Transformer, dropout=0.0, **own):
    torch.manual_seed(0)
    config = TransformerConfig(
        SOURCE_VOCAB, V, 30, 5, 2, 23, dropout, positions="learned", max_length=50
    )
    return kind(config, **own)


@pytest.mark.parametrize("size", [1.0, 40.0, 80.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_long_vectors_stay_finite_in_16_bits(dtype, size):
    """As in PyTorch's own function: 64 products of 40 by 40 are more than float16 holds."""
    query = torch.full((1, 2, 3, 64), size, dtype=dtype, requires_grad=True)
    value = torch.randn(1, 2, 3, 64).to(dtype)
    output, weights = scaled_dot_product_attention(query, query, value)
    wanted = F.scaled_dot_product_attention(query, query, value)
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(output, wanted, atol=2e-2, rtol=2e-2)
    output.float().sum().backward()
    assert torch.isfinite(query.grad).all()


def ids(batch, length, vocab=13):
    draw = torch.Generator().manual_seed(batch)
    drawn = torch.randint(1, vocab, (batch, length), generator=draw)
    drawn[0, -2:] = 0
    return drawn


INPUTS = {  # of two sizes each
    Transformer: [(ids(3, 11), ids(3, 7)), (ids(5, 9), ids(5, 13))],
    GPT: [(ids(3, 7),), (ids(5, 13),)],
}


@pytest.mark.parametrize("kind", INPUTS)
def test_a_traced_model_takes_other_lengths(kind):
    model = model_of(kind).eval()
    first, second = INPUTS[kind]
    traced = torch.jit.trace(model, first)
    for inputs in (first, second):
        assert (traced(*inputs) - model(*inputs)).abs().max() <= 1e-5


@pytest.mark.parametrize("kind", INPUTS)
def test_an_exported_model_takes_other_lengths(kind):
    model = model_of(kind).eval()
    first, second = INPUTS[kind]
    batch = torch.export.Dim("batch", max=64)
    shapes = tuple(
        {0: batch, 1: torch.export.Dim(f"length_{i}", max=48)}
        for i in range(len(first))
    )
    exported = torch.export.export(model, first, dynamic_shapes=shapes).module()
    for inputs in (first, second):
        assert (exported(*inputs) - model(*inputs)).abs().max() <= 1e-5


def test_layers_can_be_quantised():
    """PyTorch's dynamic quantisation hides the weights of every linear map."""
    model = model_of().eval()
    quantised = torch.ao.quantization.quantize_dynamic(
        model, {nn.Linear}, dtype=torch.qint8
    )
    source, target = ids(3, 11), ids(3, 7)
    apart = (quantised(source, target) - model(source, target)).abs().max()
    assert 0 < apart < 0.1
    attention = torch.ao.quantization.quantize_dynamic(
        MultiHeadAttention(30, 5), {nn.Linear}, dtype=torch.qint8
    )
    assert attention(*torch.randn(3, 1, 4, 30))[0].shape == (1, 4, 30)
    with pytest.raises(ValueError, match="query must have shape"):
        attention(*torch.randn(3, 1, 4, 31))


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_maps_of_a_model_in_training_sum_to_one(kind):
    model = model_of(dropout=0.4).train()
    model.encoder.eval()
    modes = [module.training for module in model.modules()]
    source, target = torch.randint(1, V, (2, 5)), torch.randint(1, V, (2, 4))
    maps = attention_maps(model, kind, source, target)
    assert (maps.sum(-1) - 1).abs().max() <= 1e-6
    assert torch.equal(maps, attention_maps(model.eval(), kind, source, target))
    model = model_of(dropout=0.4).train()
    model.encoder.eval()
    attention_maps(model, kind, source, target)
    assert [module.training for module in model.modules()] == modes


def test_maps_of_pictures_in_training_sum_to_one():
    sizes = {"image_size": (6, 10), "patch_size": (3, 5), "n_classes": 7}
    model = model_of(ViT, dropout=0.4, **sizes).train()
    maps = image_attention_maps(model, torch.randn(2, 1, 6, 10))
    assert (maps.sum(-1) - 1).abs().max() <= 1e-6 and model.training


def test_the_kernel_of_an_attention_can_be_exchanged():
    """`inner_attention` is one part: a class's, or one layer's own."""

    def first_key(query, key, value, mask=None, dropout=0.0):
        return value[:, :, :1].expand(-1, -1, query.size(-2), -1), None

    torch.manual_seed(0)
    layer, x = MultiHeadAttention(30, 5), torch.randn(2, 7, 30)
    plain = layer(x, x, x)[0]
    layer.inner_attention = first_key
    exchanged = layer(x, x, x)[0]
    assert (exchanged - exchanged[:, :1]).abs().max() == 0
    assert not torch.allclose(exchanged, plain)
    assert (
        Encoder(TransformerConfig(d_model=30, n_heads=5))
        .layers[0]
        .self_attention.inner_attention
        is scaled_dot_product_attention
    )
