"""Leaving pads out of a training step changes no logit and no gradient, only the work."""

import pytest
import torch

from tfbook import Transformer, TransformerConfig
from tfbook.costs import count_operations
from tfbook.model.packing import Packing
from tfbook.pitfalls.patching import computing_pads
from tfbook.training.loop import sequence_loss

SOURCE_VOCAB, V, S, T = 17, 13, 11, 7


def batch(source_lengths, target_lengths):
    """Padded ids (B, S) and (B, T + 1), pads anywhere that a length leaves."""
    torch.manual_seed(1)
    found = []
    for lengths, size, vocab in (
        (source_lengths, S, SOURCE_VOCAB),
        (target_lengths, T + 1, V),
    ):
        ids = torch.randint(1, vocab, (len(lengths), size))
        found.append(ids * (torch.arange(size) < torch.tensor(lengths)[:, None]))
    return found


BATCHES = {
    "both padded": ([4, 11, 7], [8, 3, 5]),
    "source padded": ([4, 11, 7], [8, 8, 8]),
    "target padded": ([11, 11, 11], [8, 3, 5]),
    "no pads": ([11, 11, 11], [8, 8, 8]),
    "an empty source": ([0, 11, 7], [8, 3, 5]),
    "all sources empty": ([0, 0, 0], [8, 3, 5]),
    "an empty target": ([4, 11, 7], [8, 0, 5]),
}


def learned(model, source, target):
    """The logits at real positions, and the gradient of every parameter."""
    model.zero_grad()
    logits = model(source, target[:, :-1])
    sequence_loss(logits, target[:, 1:]).backward()
    real = target[:, :-1] != 0
    return logits[real], {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("lengths", BATCHES)
def test_logits_and_gradients_are_those_of_the_whole_batch(
    lengths, positions, norm
):
    torch.manual_seed(0)
    sizes = SOURCE_VOCAB, V, 30, 5, 2, 23, 0.0, norm
    model = Transformer(TransformerConfig(*sizes, positions=positions)).double()
    source, target = batch(*BATCHES[lengths])
    logits, gradients = learned(model, source, target)
    with computing_pads():
        wanted, theirs = learned(model, source, target)
    assert logits.shape == wanted.shape and wanted.isfinite().all()
    assert (logits - wanted).abs().max() <= 1e-10
    for name, gradient in theirs.items():
        assert gradient.isfinite().all(), name
        assert (gradients[name] - gradient).abs().max() <= 1e-10, name


def test_pads_cost_next_to_nothing():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(SOURCE_VOCAB, V, 96, 2, 2, 384))
    source, target = batch([4] * 3, [4] * 3)
    packed = count_operations(lambda: learned(model, source, target))
    with computing_pads():
        padded = count_operations(lambda: learned(model, source, target))
    assert 0.3 * padded < packed < 0.5 * padded  # 4 of 11, and 3 of 7, are real


def test_dropout_is_live_and_pads_get_no_gradient():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(SOURCE_VOCAB, V, 30, 5, 2, 23, 0.3))
    source, target = batch(*BATCHES["both padded"])
    first, second = (learned(model, source, target)[0] for _ in range(2))
    assert not torch.equal(first, second)
    _, gradients = learned(model, source, target)
    assert (gradients["source_embedding.tokens.weight"][0] == 0).all()


def test_what_is_packed_comes_back():
    keep = torch.rand(3, 1, 1, 7) < 0.5
    packing, x = Packing(keep), torch.randn(3, 7, 2)
    packed = packing.pack(x)
    assert packed.shape == (1, int(keep.sum()), 2)
    real = keep[:, 0, 0]
    assert torch.equal(packing.unpack(packed)[real], x[real])
    assert torch.equal(Packing().pack(x), x) and torch.equal(Packing().unpack(x), x)


@pytest.mark.parametrize("keep", [torch.ones, torch.zeros])
def test_all_real_or_none_is_packed_whole(keep):
    packing = Packing(keep(3, 1, 1, 7, dtype=torch.bool))
    x = torch.randn(3, 7, 2)
    assert torch.equal(packing.pack(x), x.reshape(1, 21, 2))  # (1, B·T, D)
    assert torch.equal(packing.unpack(packing.pack(x)), x)
