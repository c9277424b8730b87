"""What a configuration says when nothing else is said."""

import dataclasses

import pytest
import torch
from subjects import SOURCE_VOCAB, V, build
from torch import nn

from tfbook import Decoder, Encoder, Transformer, TransformerConfig


def test_the_defaults_are_the_base_model_of_the_paper():
    config = TransformerConfig()
    widths = (
        config.d_model,
        config.n_heads,
        config.d_head,
        config.d_ff,
        config.n_layers,
    )
    assert widths == (512, 8, 64, 2048, 6)
    assert (config.dropout, config.positions, config.activation) == (
        0.1,
        "sinusoidal",
        "relu",
    )
    assert config.tie_embeddings


@pytest.mark.parametrize(
    ("norm", "asked", "there"),
    [
        ("pre", None, True),
        ("post", None, False),
        ("pre", False, False),
        ("post", True, True),
    ],
)
def test_a_final_norm_comes_with_pre_norm_unless_it_is_asked_for(
    norm, asked, there
):
    for kind in (Encoder, Decoder):
        stack = build(kind, norm=norm, final_norm=asked)
        assert isinstance(stack.norm, nn.LayerNorm if there else nn.Identity)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TransformerConfig().d_model = 1


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_output_is_the_target_embedding(tied):
    model = build(Transformer, tie_embeddings=tied)
    assert (model.output.weight is model.target_embedding.tokens.weight) == tied
    assert model.output.weight.shape == (V, 30)
    assert model.source_embedding.tokens.weight.shape == (SOURCE_VOCAB, 30)
    assert len({id(p) for p in model.parameters()}) == len(list(model.parameters()))


def test_norm_eps_and_activation_reach_every_layer():
    model = build(Transformer, norm_eps=1e-3, activation="gelu_tanh")
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {1e-3}
    layers = [*model.encoder.layers, *model.decoder.layers]
    assert {layer.feed_forward.activation for layer in layers} == {"gelu_tanh"}


def test_what_every_parameter_starts_as():
    model = build(
        Transformer, d_model=110, n_heads=5, d_ff=229, positions="learned"
    )
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            assert module.weight.eq(1).all() and module.bias.eq(0).all()
        elif isinstance(module, nn.Linear) and module is not model.output:
            n_out, n_in = module.weight.shape
            xavier = (2 / (n_in + n_out)) ** 0.5
            assert module.bias.eq(0).all()
            assert module.weight.std().item() == pytest.approx(xavier, rel=0.05)
    for embedding in (model.source_embedding, model.target_embedding):
        assert embedding.tokens.weight.std().item() == pytest.approx(
            110**-0.5, rel=0.1
        )
        assert embedding.position_embedding.weight.std().item() == pytest.approx(
            0.02, rel=0.05
        )
    assert torch.equal(model.output.weight, model.target_embedding.tokens.weight)
