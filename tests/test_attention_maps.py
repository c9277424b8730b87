"""The maps of attention: the weights that a Transformer really used, row by row."""

import pytest
import torch

from tfbook import Transformer, TransformerConfig
from tfbook.data.batching import pad_pairs
from tfbook.inspect.attention_maps import KINDS, attention_layers, attention_maps
from tfbook.training.loop import sequence_loss

B, L, H, SOURCE_VOCAB, V = 3, 2, 5, 17, 13
ALONE = [(list(range(3, 10)), [4, 5, 6])]  # S = 7, T = 4 with start or stop
PAIRS = [([3, 4, 5, 6, 7, 8, 9, 3, 4, 5, 6], [3, 4, 5, 6]), *ALONE, ([8, 9], [3])]


@pytest.fixture
def model():
    config = TransformerConfig(SOURCE_VOCAB, V, 6 * H, H, L, 23, 0.0)
    return Transformer(config).double().eval()


def test_shapes_and_rows(model):
    """Every row sums to one; no weight on a pad of the source, none on the future."""
    source, target = pad_pairs(PAIRS)
    S, T = source.size(1), target.size(1) - 1
    shapes = {"encoder": (S, S), "decoder": (T, T), "cross": (T, S)}
    for kind, shape in shapes.items():
        maps = attention_maps(model, kind, source, target)
        assert maps.shape == (B, L, H, *shape)
        assert torch.allclose(maps.sum(-1), torch.ones(1).double())
        if kind == "decoder":
            past = torch.ones(T, T).tril().bool()
            assert not maps[..., ~past].any()
        else:
            pads = (source == 0)[:, None, None, None].expand_as(maps)
            assert pads.any() and not maps[pads].any()


def test_the_last_row_reads_the_last_symbol_that_predicts(model):
    """Row t predicts target[:, t + 1]: changing that symbol leaves rows up to t alone."""
    source, target = pad_pairs(ALONE)
    before = attention_maps(model, "cross", source, target)
    changed = target.clone()
    changed[0, 2] = 9
    after = attention_maps(model, "cross", source, changed)
    assert torch.equal(before[..., :2, :], after[..., :2, :])
    assert not torch.allclose(before[..., 2:, :], after[..., 2:, :])
    changed[0, -1] = 9  # the last symbol is only predicted
    assert torch.equal(after, attention_maps(model, "cross", source, changed))


def test_the_weights_are_those_that_the_output_was_made_with(model):
    """The maps of a layer, its values and its output projection give the layer's output."""
    source, target = pad_pairs(ALONE)
    layer, caught = attention_layers(model, "cross")[1], []
    hook = layer.register_forward_hook(lambda *found: caught.append(found[1:]))
    logits = model(source, target[:, :-1])
    hook.remove()
    [((_, memory, *_), (output, _))] = caught
    maps = attention_maps(model, "cross", source, target)[:, 1]  # (B, H, T, S)
    values = layer.value_projection(memory).unflatten(-1, (H, 6)).transpose(1, 2)
    mixed = (maps @ values).transpose(1, 2).flatten(2)  # (B, T, d_model)
    assert torch.allclose(layer.output_projection(mixed), output, atol=1e-10)
    assert torch.equal(model(source, target[:, :-1]), logits)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_behind(model, kind):
    """No hook, whether the model ran or raised, and no gradient in the maps."""
    source, target = pad_pairs(PAIRS)
    assert not attention_maps(model, kind, source, target).requires_grad
    with pytest.raises(ValueError, match="source must"):
        attention_maps(model, kind, source + 100, target)
    assert not any(
        layer._forward_pre_hooks for layer in attention_layers(model, kind)
    )
    sequence_loss(model(source, target[:, :-1]), target[:, 1:]).backward()


def test_layers_are_in_order_and_an_unknown_kind_is_told(model):
    layers = attention_layers(model, "decoder")
    assert layers[1] is model.decoder.layers[1].self_attention
    assert (
        attention_layers(model, "encoder")[0]
        is model.encoder.layers[0].self_attention
    )
    for act in (attention_layers, lambda *given: attention_maps(*given, 0, 0)):
        with pytest.raises(ValueError, match=r"kind must be .*'cross'.*got 'both'"):
            act(model, "both")
