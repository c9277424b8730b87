"""The loader of nn.Transformer: what it keeps, and what it will not take.

That it computes the same is in tests/test_parity.py.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tfbook.pretrained import load_torch_transformer

# nn.Transformer warns of a choice that its own constructor makes
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
SIZES = {
    "d_model": 30,
    "nhead": 5,
    "dim_feedforward": 23,
    "num_encoder_layers": 2,
    "num_decoder_layers": 3,
}


def reference(**changes):
    return nn.Transformer(**{**SIZES, **changes})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_it_keeps_dtype_and_mode(dtype, training):
    for stack in load_torch_transformer(reference(dtype=dtype).train(training)):
        assert {p.dtype for p in stack.parameters()} == {dtype}
        assert {module.training for module in stack.modules()} == {training}


def test_it_keeps_device():
    for stack in load_torch_transformer(reference(device="meta")):
        assert {p.device.type for p in stack.parameters()} == {"meta"}


def test_it_keeps_dropout_depth_and_eps():
    encoder, decoder = load_torch_transformer(
        reference(dropout=0.3, layer_norm_eps=1e-3)
    )
    assert (len(encoder.layers), len(decoder.layers)) == (2, 3)
    for stack in (encoder, decoder):
        assert {m.p for m in stack.modules() if isinstance(m, nn.Dropout)} == {0.3}
        assert {layer.self_attention.dropout for layer in stack.layers} == {0.3}
        assert {m.eps for m in stack.modules() if isinstance(m, nn.LayerNorm)} == {
            1e-3
        }


def test_its_weights_are_copies():
    theirs = reference()
    encoder, _ = load_torch_transformer(theirs)
    before = encoder.norm.weight.clone()
    nn.init.zeros_(theirs.encoder.norm.weight)
    assert torch.equal(encoder.norm.weight, before)


def test_a_stack_without_final_norm():
    layer = nn.TransformerEncoderLayer(30, 5, 23)
    encoder, decoder = load_torch_transformer(
        reference(custom_encoder=nn.TransformerEncoder(layer, 2))
    )
    assert isinstance(encoder.norm, nn.Identity)
    assert isinstance(decoder.norm, nn.LayerNorm)


class OwnLayer(nn.TransformerDecoderLayer):
    pass


def with_own_layer():
    layer = OwnLayer(30, 5, 23)
    return reference(custom_decoder=nn.TransformerDecoder(layer, 3))


def with_layers_that_differ():
    theirs = reference()
    theirs.decoder.layers[1].norm_first = True
    return theirs


def with_two_dropouts():
    theirs = reference(dropout=0.1)
    theirs.encoder.layers[0].dropout1.p = 0.2
    return theirs


def with_a_zero_key():
    theirs = reference()
    theirs.decoder.layers[0].multihead_attn.add_zero_attn = True
    return theirs


def with_another_eps_at_the_end():
    theirs = reference()
    theirs.encoder.norm.eps = 1e-3
    return theirs


BAD = {
    "not a Transformer": (
        lambda: nn.Linear(2, 3),
        TypeError,
        "torch.nn.Transformer, got Linear",
    ),
    "not a module": (lambda: "weights", TypeError, "torch.nn.Transformer, got str"),
    "no bias": (lambda: reference(bias=False), ValueError, "bias=False"),
    "silu": (
        lambda: reference(activation=F.silu),
        ValueError,
        "relu or gelu, got <function silu",
    ),
    "own encoder": (
        lambda: reference(custom_encoder=nn.Identity()),
        TypeError,
        "reference.encoder must be a torch.nn.TransformerEncoder, got Identity",
    ),
    "own decoder": (
        lambda: reference(custom_decoder=nn.Identity()),
        TypeError,
        "reference.decoder must be a torch.nn.TransformerDecoder, got Identity",
    ),
    "own layer": (
        with_own_layer,
        TypeError,
        "TransformerDecoderLayer, got OwnLayer",
    ),
    "layers that differ": (
        with_layers_that_differ,
        ValueError,
        "decoder's layers must be alike",
    ),
    "two dropouts": (
        with_two_dropouts,
        ValueError,
        r"one dropout, got \[0.1, 0.2\]",
    ),
    "a zero key": (
        with_a_zero_key,
        ValueError,
        "decoder must attend to the keys that it is given, got add_zero_attn=True",
    ),
    "two eps": (
        with_another_eps_at_the_end,
        ValueError,
        "one eps, got 1e-05 and 0.001",
    ),
    "no layers": (
        lambda: reference(num_encoder_layers=0),
        ValueError,
        "at least one layer, got 0",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_it_will_not_take(case):
    build, error, message = BAD[case]
    with pytest.raises(error, match=message):
        load_torch_transformer(build())


def test_another_norm_is_refused():
    for place, norm in (
        ("norm", nn.RMSNorm(10)),
        ("layers.0.norm1", nn.Identity()),
    ):
        reference = nn.Transformer(10, 5, 1, 1, 17, batch_first=True)
        reference.encoder.set_submodule(place, norm)
        with pytest.raises(
            TypeError, match=rf"encoder.{place} must be .*LayerNorm"
        ):
            load_torch_transformer(reference)
