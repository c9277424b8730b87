"""The Vision Transformer against transformers', its patches against PyTorch's unfold and
convolution, and the rollout against a walk by chance.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from tfbook import TransformerConfig
from tfbook.inspect.attention_maps import image_attention_maps, rollout
from tfbook.model.vit import ViT, patches

# pairwise distinct; the grid of patches is 7 by 3, not square
B, C, PATCH, GRID, CLASSES = 17, 3, (2, 13), (7, 3), 11
IMAGE = tuple(p * g for p, g in zip(PATCH, GRID, strict=True))
SIZES = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23, "dropout": 0.0}
EACH = {
    "self_attention.query_projection": "attention.q_proj",
    "self_attention.key_projection": "attention.k_proj",
    "self_attention.value_projection": "attention.v_proj",
    "self_attention.output_projection": "attention.o_proj",
    "add_norm.0.norm": "layernorm_before",
    "add_norm.1.norm": "layernorm_after",
    "feed_forward.linear_1": "mlp.fc1",
    "feed_forward.linear_2": "mlp.fc2",
}
NAMES = {
    "project": "vit.embeddings.patch_embeddings.projection",
    "encoder.norm": "vit.layernorm",
    "output": "classifier",
} | {
    f"encoder.layers.{i}.{ours}": f"vit.layers.{i}.{theirs}"
    for i in range(SIZES["n_layers"])
    for ours, theirs in EACH.items()
}


def pictures(*shape):
    return torch.randn(*(shape or (B, C, *IMAGE)), dtype=torch.float64)


def vit(**changes):
    design = {"positions": "learned", "activation": "gelu", "norm_eps": 1e-12}
    config = TransformerConfig(**{**SIZES, **design, **changes})
    return ViT(config, IMAGE, PATCH, CLASSES, C).double().eval()


def reference():
    """Theirs, grown: biases and gains are not what they start as."""
    config = ViTConfig(
        hidden_size=SIZES["d_model"],
        num_hidden_layers=SIZES["n_layers"],
        num_attention_heads=SIZES["n_heads"],
        intermediate_size=SIZES["d_ff"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        image_size=IMAGE,
        patch_size=PATCH,
        num_channels=C,
        num_labels=CLASSES,
    )
    theirs = ViTForImageClassification(config).double().eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter += torch.randn_like(parameter) / 5
    return theirs


def pairs(ours, theirs):
    """Our parameters beside theirs, by name: (name, ours, theirs in our shape)."""
    known = dict(theirs.named_parameters())
    embeddings = theirs.vit.embeddings
    yield "class_token", ours.class_token, embeddings.cls_token
    yield (
        "position_embedding",
        ours.position_embedding,
        embeddings.position_embeddings,
    )
    for name, its in NAMES.items():
        for part in ("weight", "bias"):
            yield (
                f"{name}.{part}",
                ours.get_parameter(f"{name}.{part}"),
                known[f"{its}.{part}"],
            )


@pytest.fixture
def both():
    ours, theirs = vit(), reference()
    with torch.no_grad():
        for _, mine, their in pairs(ours, theirs):
            mine.copy_(their.view_as(mine))  # (d_model, C·h·w) of the convolution
    return ours, theirs


def test_every_parameter_has_a_partner(both):
    ours, theirs = both
    named = {name for name, _, _ in pairs(ours, theirs)}
    assert named == {name for name, _ in ours.named_parameters()}
    assert len(named) == len(list(theirs.parameters()))


def test_logits_and_gradients_are_those_of_transformers(both):
    ours, theirs = both
    image, truth = pictures(), torch.randint(CLASSES, (B,))
    found, wanted = ours(image), theirs(image).logits
    assert found.shape == (B, CLASSES)
    assert (found - wanted).abs().max() <= 1e-8
    for logits in (found, wanted):
        F.cross_entropy(logits, truth).backward()
    for name, mine, their in pairs(ours, theirs):
        gradient = their.grad.view_as(mine)  # (…)
        assert gradient.abs().max() > 0 or "key_projection.bias" in name, name
        assert (mine.grad - gradient).abs().max() <= 1e-8, name


def test_maps_are_those_of_transformers(both):
    ours, theirs = both
    theirs.set_attn_implementation("eager")
    image = pictures()
    wanted = theirs(image, output_attentions=True).attentions
    maps = image_attention_maps(ours, image)
    assert maps.shape == (B, 2, 5, 22, 22)
    difference = maps - torch.stack(wanted, dim=1)
    assert (
        difference.abs().max() <= 1e-6
    )  # the softmax that they show is in float32


def test_maps_leave_nothing_behind(both):
    ours, _ = both
    with pytest.raises(ValueError, match="image must be"):
        image_attention_maps(ours, pictures(B, C, 4, 4))
    attention = ours.encoder.layers[0].self_attention
    assert not attention._forward_pre_hooks
    image_attention_maps(ours, pictures())
    assert not attention._forward_pre_hooks


@pytest.mark.parametrize("size", [(2, 13), (7, 3), (14, 39), (1, 1)])
def test_patches_are_those_of_unfold(size):
    image = pictures()
    wanted = F.unfold(image, size, stride=size)  # (B, C·h·w, S)
    assert torch.equal(
        patches(image, size), wanted.transpose(1, 2)
    )  # (B, S, C·h·w)


def test_patches_lie_in_reading_order():
    image = pictures()
    fifth = image[:, :, 2:4, 13:26]  # second row of three, second column
    assert torch.equal(patches(image, PATCH)[:, 4], fifth.flatten(1))  # (B, C·h·w)


def test_projecting_patches_is_a_convolution():
    model, image = vit(), pictures()
    convolution = nn.Conv2d(C, 30, PATCH, stride=PATCH).double()
    with torch.no_grad():
        weight = model.project.weight.view_as(convolution.weight)  # (30, C, h, w)
        convolution.weight.copy_(weight)
        convolution.bias.copy_(model.project.bias)
        wanted = convolution(image).flatten(2).mT  # (B, S, 30)
        found = model.embed(image) - model.position_embedding
    assert torch.allclose(found[:, 1:], wanted, rtol=0, atol=1e-12)
    assert torch.equal(found[:, :1], (model.class_token + 0 * found[:, :1]))


def test_without_positions_the_patches_are_a_set():
    order = torch.randperm(21)
    image = pictures()
    cut = image.unfold(2, 2, 2).unfold(3, 13, 13)  # (B, C, 7, 3, 2, 13)
    cut = cut.flatten(2, 3)[:, :, order].view_as(cut)  # (B, C, 7, 3, 2, 13)
    mixed = cut.permute(0, 1, 2, 4, 3, 5).reshape_as(image)  # (B, C, 14, 39)
    without, learned = vit(positions="none"), vit()
    assert not hasattr(without, "position_embedding")
    assert torch.allclose(without(image), without(mixed), rtol=0, atol=1e-10)
    nn.init.normal_(learned.position_embedding)
    assert not torch.allclose(learned(image), learned(mixed), rtol=0, atol=1e-3)


def test_what_parameters_start_as():
    """The table and the token small, the biases 0."""
    model = ViT(
        TransformerConfig(64, 64, positions="learned"), (32, 32), (4, 4), 10
    )
    for table in (model.position_embedding, model.class_token):
        assert 0.017 < table.std() < 0.023
    assert not model.project.bias.any() and not model.output.bias.any()


def test_dropout_falls_on_the_embedding():
    model = vit(dropout=0.5).train()
    nn.init.ones_(model.position_embedding)
    assert 0.4 < (model.embed(pictures()) == 0).double().mean() < 0.6


def test_rollout_is_a_walk_by_chance():
    """From a vector behind the last layer a walker steps down: at each layer he stays with
    one half, else takes a head by chance and goes where it looks.
    """
    maps = 8 * torch.rand(1, 3, 2, 4, 4, dtype=torch.float64)
    maps = maps.softmax(-1)
    found, draws = rollout(maps), 40_000
    assert found.shape == (1, 4, 4)
    place = torch.full((draws,), 2)
    for layer in reversed(range(3)):
        head = torch.randint(2, (draws,))
        goes = maps[0, layer, head, place].multinomial(1).squeeze(1)  # (draws,)
        place = torch.where(torch.rand(draws) < 0.5, place, goes)
    share = place.bincount(minlength=4) / draws
    assert (share - found[0, 2]).abs().max() < 0.01


def test_rollout_is_of_each_picture_alone(both):
    maps = image_attention_maps(both[0], pictures())
    whole = rollout(maps)
    assert torch.allclose(whole.sum(-1), torch.ones(B, 22, dtype=torch.float64))
    assert torch.allclose(whole[3], rollout(maps[3:4])[0])


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda: patches(pictures(3, 4, 6), (2, 2)),
            ValueError,
            r"image must be \(B, C, height, width\), got \(3, 4, 6\)",
        ),
        (
            lambda: patches(pictures(1, 3, 4, 6), (3, 2)),
            ValueError,
            r"size must divide the height and width of \(1, 3, 4, 6\), got \(3, 2\)",
        ),
        (
            lambda: patches(pictures(1, 3, 4, 6), (2, 4)),
            ValueError,
            r"size must divide .* got \(2, 4\)",
        ),
        (
            lambda: patches(pictures(1, 3, 4, 6), 2),
            TypeError,
            r"size must be a pair \(h, w\), got 2",
        ),
        (
            lambda: patches(pictures(1, 3, 4, 6), (2, 0)),
            ValueError,
            "size must be at least 1, got 0",
        ),
        (
            lambda: vit(positions="sinusoidal"),
            ValueError,
            "config.positions must be 'learned' or 'none', got 'sinusoidal'",
        ),
        (
            lambda: ViT(TransformerConfig(positions="none"), (8, 8), (2, 3), 10),
            ValueError,
            r"size must divide the height and width of \(1, 1, 8, 8\), got \(2, 3\)",
        ),
        (
            lambda: ViT(TransformerConfig(positions="none"), (8, 8), (2, 2), 0),
            ValueError,
            "n_classes must be at least 1, got 0",
        ),
        (
            lambda: ViT(
                TransformerConfig(positions="none"), (8, 8), (2, 2), 2, 0.5
            ),
            TypeError,
            "n_channels must be an int, got 0.5",
        ),
        (
            lambda: vit()(pictures(B, C, 39, 14)),
            ValueError,
            r"image must be \(B, 3, 14, 39\), got \(17, 3, 39, 14\)",
        ),
        (
            lambda: rollout(torch.zeros(2, 3, 4, 4)),
            ValueError,
            r"maps must be \(B, L, H, S, S\), got \(2, 3, 4, 4\)",
        ),
    ],
)
def test_bad_input_is_told(call, error, words):
    with pytest.raises(error, match=words):
        call()
