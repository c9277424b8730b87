"""Pruning, quantisation, factors and distillation, each against its definition or PyTorch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune

from tfbook import MultiHeadAttention, Transformer, TransformerConfig
from tfbook.compress.distillation import distillation_loss
from tfbook.compress.factors import factored, low_rank
from tfbook.compress.pruning import (
    apply_masks,
    matrices,
    remove_heads,
    smallest_weights,
    sparsity,
)
from tfbook.compress.quantisation import (
    Int8Linear,
    pack_nibbles,
    quantise,
    quantise_per_tensor,
    restore,
    round_weights,
    unpack_nibbles,
)

D, HEADS, FF = 30, 5, 23


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def model(**changes):
    torch.manual_seed(0)
    sizes = {"d_model": D, "n_heads": HEADS, "n_layers": 1, "d_ff": FF}
    config = TransformerConfig(7, 11, **sizes | changes, max_length=13)
    return Transformer(config).double().eval()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_each_matrix_loses_what_pytorch_would_take(share):
    ours = model()
    for name, mask in smallest_weights(ours, share).items():
        linear = copy.deepcopy(ours.get_submodule(name.removesuffix(".weight")))
        prune.l1_unstructured(linear, "weight", share)
        assert torch.equal(mask.double(), linear.weight_mask), name


def test_all_matrices_together_lose_what_pytorch_would_take():
    ours = model()
    with torch.no_grad():
        ours.encoder.layers[0].feed_forward.linear_1.weight.mul_(0.1)
    masks = smallest_weights(ours, 0.4, each=False)
    other = copy.deepcopy(ours)
    prune.global_unstructured(
        [(other.get_submodule(n.removesuffix(".weight")), "weight") for n in masks],
        prune.L1Unstructured,
        amount=0.4,
    )
    shares = {}
    for name, mask in masks.items():
        theirs = other.get_submodule(name.removesuffix(".weight")).weight_mask
        assert torch.equal(mask.double(), theirs), name
        shares[name] = float(mask.double().mean())
    assert (
        min(shares, key=shares.get)
        == "encoder.layers.0.feed_forward.linear_1.weight"
    )


def test_embeddings_and_what_is_tied_to_them_stay_whole():
    assert "output.weight" not in matrices(model())
    assert "output.weight" in matrices(model(tie_embeddings=False))
    assert len(matrices(model())) == 4 + 8 + 4


def test_masks_are_applied_and_counted():
    ours = model()
    masks = smallest_weights(ours, 0.3)
    assert sparsity(ours) == 0
    apply_masks(ours, masks)
    assert sparsity(ours) == pytest.approx(0.3, abs=0.01)
    for name, mask in masks.items():
        assert not ours.get_parameter(name)[~mask].any()
        assert ours.get_parameter(name)[mask].all()
    for wrong in ({"nothing.weight": mask}, {"output.weight": mask}):
        with pytest.raises(ValueError, match="masks must fit the model"):
            apply_masks(ours, wrong)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_0_to_1_are_refused(share):
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        smallest_weights(model(), share)
    with pytest.raises(ValueError, match="share must be from 0 to 1"):
        distillation_loss(
            noise(1, 1, 3), noise(1, 1, 3), torch.ones(1, 1).long(), 1.0, share
        )


@pytest.mark.parametrize("rotary", [False, True])
def test_without_heads_is_as_with_their_outputs_silenced(rotary):
    torch.manual_seed(1)
    whole = MultiHeadAttention(D, HEADS, rotary=rotary).double()
    for p in whole.parameters():  # biases are zero at first
        nn.init.normal_(p, std=0.3)
    smaller, silent = copy.deepcopy(whole), copy.deepcopy(whole)
    remove_heads(smaller, [3, 0])
    with torch.no_grad():
        for head in (0, 3):
            columns = slice(head * D // HEADS, (head + 1) * D // HEADS)
            silent.output_projection.weight[:, columns] = 0
    x, memory = noise(3, 5, D, seed=2), noise(3, 7, D, seed=3)
    mask = torch.ones(3, 1, 1, 7, dtype=torch.bool)
    mask[0, ..., 5:] = False
    wanted = silent(x, memory, memory, mask)[0]
    assert torch.allclose(smaller(x, memory, memory, mask)[0], wanted, atol=1e-12)
    assert not torch.allclose(whole(x, memory, memory, mask)[0], wanted, atol=1e-3)
    assert (smaller.n_heads, smaller.d_head) == (3, D // HEADS)
    left = sum(p.numel() for p in smaller.parameters())
    assert left == 3 * (18 * D + 18) + D * 18 + D


@pytest.mark.parametrize("heads", [range(HEADS), [HEADS], [-1]])
def test_heads_that_are_not_there_and_all_of_them_are_refused(heads):
    with pytest.raises(ValueError, match="heads must be some of the 5, not all"):
        remove_heads(MultiHeadAttention(D, HEADS), heads)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("group", [None, 5])
def test_a_weight_is_off_by_half_a_scale_at_most(bits, group):
    weight = noise(7, 15) * torch.logspace(-2, 2, 7, dtype=torch.float64)[:, None]
    numbers, scale = quantise(weight, bits, group)
    assert numbers.dtype == torch.int8 and scale.shape == (
        7,
        1 if group is None else 3,
    )
    assert numbers.abs().max() <= 2 ** (bits - 1) - 1
    off = (restore(numbers, scale) - weight).abs()
    half = scale.repeat_interleave(15 // scale.size(1), dim=1) / 2
    assert (off <= half * (1 + 1e-12)).all()
    assert (off > 0).any()


def test_a_channel_is_quantised_as_pytorch_does():
    weight = noise(7, 15).float()
    numbers, scale = quantise(weight)
    zero = torch.zeros(7, dtype=torch.int32)
    theirs = torch.fake_quantize_per_channel_affine(
        weight, scale[:, 0], zero, 0, -127, 127
    )
    assert torch.allclose(restore(numbers, scale), theirs, rtol=1e-6)


def test_one_large_channel_spoils_a_scale_for_all():
    weight = noise(7, 15)
    weight[3] *= 1000
    errors = [
        (restore(*found) - weight)[:3].norm() / weight[:3].norm()
        for found in (quantise(weight), quantise_per_tensor(weight))
    ]
    assert errors[0] < 0.01 and errors[1] > 0.5


def test_zeros_stay_zeros():
    numbers, scale = quantise(torch.zeros(2, 3))
    assert not numbers.any() and scale.isfinite().all()
    assert not restore(numbers, scale).any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(17,), (2, 3), (1, 1)])
def test_the_linear_map_in_8_bits_is_that_of_its_whole_numbers(bias, shape):
    linear = nn.Linear(32, 24, bias=bias)
    x = noise(*shape, 32).float()
    whole, scale = quantise(x.flatten(0, -2))
    restored = restore(whole, scale).view(x.shape)
    wanted = F.linear(
        restored, restore(*quantise(linear.weight.detach())), linear.bias
    )
    got = Int8Linear(linear)(x)
    assert torch.allclose(got, wanted, atol=1e-5)
    exact = linear(x)
    assert 1e-4 < (got - exact).norm() / exact.norm() < 0.03


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bits": 1}, "bits must be from 2 to 8, got 1"),
        ({"bits": 9}, "bits must be from 2 to 8, got 9"),
        ({"group": 4}, "group must divide the 15 columns, got 4"),
        ({"group": 0}, "group must divide the 15 columns, got 0"),
        ({"weight": torch.full((7, 15), torch.nan)}, "weight must be finite"),
    ],
)
def test_what_cannot_be_quantised_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        quantise(**{"weight": noise(7, 15)} | changes)


def test_nibbles_come_back():
    numbers = torch.arange(-8, 8, dtype=torch.int8).repeat(3, 1)
    packed = pack_nibbles(numbers)
    assert packed.shape == (3, 8) and packed.dtype == torch.uint8
    assert torch.equal(unpack_nibbles(packed), numbers)
    for wrong, words in (
        (numbers[:, :3], "numbers must have an even width, got 3"),
        (numbers + 1, "numbers must be from -8 to 7, got -7 to 8"),
    ):
        with pytest.raises(ValueError, match=words):
            pack_nibbles(wrong)


def test_a_model_with_fewer_bits_is_further_off():
    source, target = torch.tensor([[3, 5, 2]]), torch.tensor([[1, 4]])
    wanted, off = model()(source, target).detach(), []
    for bits in (8, 4, 2):
        ours = model()
        round_weights(ours, bits)
        difference = ours(source, target).detach() - wanted
        off.append(float(difference.norm() / wanted.norm()))
    assert 0 < off[0] < 0.02 and off[0] < off[1] / 4 < off[2] / 16


def test_no_other_factors_are_nearer():
    """Eckart & Young: the error is what the left-out singular values have, and gradient
    descent from there finds nothing better.
    """
    weight = noise(7, 11)
    for rank in (1, 3, 7):
        left, right = low_rank(weight, rank)
        assert left.shape == (7, rank) and right.shape == (rank, 11)
        lost = torch.linalg.svdvals(weight)[rank:].square().sum()
        assert torch.allclose((weight - left @ right).square().sum(), lost)
    left.requires_grad_()
    (weight - left @ right).square().sum().backward()
    assert left.grad.abs().max() < 1e-9
    for rank in (0, 8):
        with pytest.raises(ValueError, match="rank must be"):
            low_rank(weight, rank)


@pytest.mark.parametrize("bias", [True, False])
def test_a_factored_map_of_full_rank_is_the_map(bias):
    linear, x = nn.Linear(11, 7, bias=bias).double(), noise(2, 3, 11)
    assert torch.allclose(factored(linear, 7)(x), linear(x))
    assert not torch.allclose(factored(linear, 2)(x), linear(x), atol=1e-3)


def test_distillation_is_its_formula():
    logits, teacher = noise(2, 5, 7), noise(2, 5, 7, seed=1)
    target = torch.tensor([[3, 1, 6, 0, 0], [2, 4, 5, 5, 1]])
    t, a, hard, soft = 3.0, 0.3, 0.0, 0.0
    for row, column in (target != 0).nonzero().tolist():
        p, q = (x[row, column] for x in (logits, teacher))
        hard -= p.log_softmax(0)[target[row, column]]
        q = (q / t).softmax(0)
        soft += (q * (q.log() - (p / t).log_softmax(0))).sum()
    wanted = (1 - a) * hard / 8 + a * t**2 * soft / 8
    got = distillation_loss(logits, teacher, target, t, a)
    assert torch.allclose(got, wanted)
    assert distillation_loss(teacher, teacher, target, t, 1.0).abs() < 1e-12


def test_gradients_keep_their_size_when_the_temperature_rises():
    sizes = []
    target = torch.tensor([[3, 1, 6]])
    for temperature in (5.0, 50.0):
        logits = noise(1, 3, 7).requires_grad_()
        loss = distillation_loss(
            logits, noise(1, 3, 7, seed=1), target, temperature, 1.0
        )
        sizes.append(torch.autograd.grad(loss, logits)[0].norm())
    assert 0.8 < sizes[1] / sizes[0] < 1.25


def test_distillation_refuses_what_makes_no_sense():
    logits, target = noise(1, 2, 7), torch.tensor([[3, 1]])
    for temperature in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="temperature must be positive"):
            distillation_loss(logits, logits, target, temperature)
    with pytest.raises(ValueError, match="teacher_logits must have the student's"):
        distillation_loss(logits, noise(1, 2, 5), target)
