"""Leaving pads out of a training step changes no logit and no gradient, only the work."""

import pytest
import torch
import torch.nn.functional as F

from tfbook import KeyValueCache, Transformer, TransformerConfig
from tfbook.inspect.costs import count_operations
from tfbook.model import attention
from tfbook.model.packing import Packing
from tfbook.pitfalls.patching import computing_pads
from tfbook.training.loop import sequence_loss

SOURCE_VOCAB, V, S, T = 17, 13, 11, 7
SIZES = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23, "dropout": 0.0}


def batch(source_lengths, target_lengths):
    """Ids (B, S) and (B, T + 1) of these lengths, pads behind them."""
    torch.manual_seed(1)
    found = []
    for lengths, size, vocab in (
        (source_lengths, S, SOURCE_VOCAB),
        (target_lengths, T + 1, V),
    ):
        ids = torch.randint(1, vocab, (len(lengths), size))
        found.append(ids * (torch.arange(size) < torch.tensor(lengths)[:, None]))
    return found


def holes():
    """Pads in front and in the middle of the source, and in the middle of the target."""
    source, target = batch([11, 11, 11], [8, 8, 8])
    source[0, :3], source[1, 4:6], target[1, 3:5] = 0, 0, 0
    return source, target


def pad_first():
    """As where the id that begins a sequence is the pad's."""
    source, target = batch([4, 11, 7], [8, 3, 5])
    target[:, 0] = 0
    return source, target


BATCHES = {
    "both padded": batch([4, 11, 7], [8, 3, 5]),
    "source padded": batch([4, 11, 7], [8, 8, 8]),
    "target padded": batch([11, 11, 11], [8, 3, 5]),
    "no pads": batch([11, 11, 11], [8, 8, 8]),
    "an empty source": batch([0, 11, 7], [8, 3, 5]),
    "all sources empty": batch([0, 0, 0], [8, 3, 5]),
    "an empty target": batch([4, 11, 7], [8, 0, 5]),
    "one row": batch([4], [5]),
    "holes": holes(),
    "a start that is a pad": pad_first(),
}


def model_of(kind=Transformer, **changes):
    torch.manual_seed(0)
    return kind(TransformerConfig(SOURCE_VOCAB, V, **{**SIZES, **changes})).train()


def real_in(target):
    """What the decoder reads of target (B, T + 1) that is real, or begins a row: (B, T)."""
    real = target[:, :-1] != 0
    real[:, 0] = True
    return real


def learned(model, source, target):
    """The logits at real positions, and the gradient of every parameter; the loss asks
    no pad, and no symbol behind one.
    """
    model.zero_grad()
    logits, real = model(source, target[:, :-1]), real_in(target)
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    sequence_loss(wide, target[:, 1:] * real).backward()
    return logits[real], {name: p.grad for name, p in model.named_parameters()}


def assert_alike(model, source, target, most=1e-10):
    """Logits as with pads computed and as in eval, gradients as with pads computed."""
    logits, gradients = learned(model, source, target)
    with computing_pads():
        wanted, theirs = learned(model, source, target)
    evaluated = model.eval()(source, target[:, :-1])[real_in(target)]
    for other in (wanted, evaluated):
        assert logits.shape == other.shape and other.isfinite().all()
        assert (logits - other).abs().max() <= most
    largest = max(g.abs().max() for g in theirs.values())
    for name, gradient in theirs.items():
        assert gradient.isfinite().all(), name
        scale = gradient.abs().max().clamp(min=1e-3 * largest)
        assert (gradients[name] - gradient).abs().max() <= 2 * most * scale, name


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("name", BATCHES)
def test_logits_and_gradients_are_those_of_the_whole_batch(name, positions, norm):
    model = model_of(norm=norm, positions=positions).double()
    assert_alike(model, *BATCHES[name])


def test_in_16_bits():
    model = model_of()
    with torch.autocast("cpu", torch.bfloat16):
        assert_alike(model, *BATCHES["both padded"], most=2e-2)


class Louder(Transformer):
    """One with a memory of its own: what training computes has to pass through it."""

    def encode(self, source):
        return 2 * super().encode(source)


def test_a_models_own_way_is_its_way_in_training_too():
    source, target = BATCHES["no pads"]
    model = model_of(Louder).double()
    trained = model(source, target)
    assert_alike(model, source, target)
    assert (trained - model_of().double()(source, target)).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 1, 1, S), (3, 1, T, S), (T, S), (S,)])
def test_a_mask_that_is_no_padding_mask_is_not_packed_by(shape):
    model, (source, target) = model_of().double(), BATCHES["no pads"]
    mask = torch.arange(S).expand(shape) < 8
    memory, target = model.encode(source), target[:, :-1]
    trained = model.decode(target, memory, mask)
    assert (
        trained - model.eval().decode(target, memory, mask)
    ).abs().max() <= 1e-10


def test_pads_get_no_logits_and_so_teach_nothing():
    model, (source, target) = model_of().double(), BATCHES["both padded"]
    logits, real = model(source, target[:, :-1]), real_in(target)
    assert (logits[~real] == 0).all() and (logits[real] != 0).all()
    logits[~real].exp().sum().backward()
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_pads_cost_next_to_nothing():
    model = model_of(d_model=96, n_heads=2, d_ff=384)
    source, target = batch([4] * 3, [4] * 3)
    packed = count_operations(lambda: learned(model, source, target))
    with computing_pads():
        padded = count_operations(lambda: learned(model, source, target))
    # real: 4 of 11 in the source, 4 of 7 in what the decoder reads
    assert 4 / 11 < packed / padded < 4 / 7


def test_dropout_is_live():
    model = model_of(dropout=0.3)
    first, second = (learned(model, *BATCHES["both padded"])[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_with_a_cache_training_mode_gives_what_eval_gives():
    """Steps with a cache are never packed: earlier keys lie in rows."""
    model, (source, target) = model_of().double(), BATCHES["source padded"]
    mask, answers = source != 0, []
    for training in (True, False):
        model.train(training)
        memory, cache = model.encode(source), KeyValueCache()
        steps = [
            model.decode(target[:, t : t + 1], memory, mask[:, None, None], cache)
            for t in range(T)
        ]
        answers.append(torch.cat(steps, dim=1))
    assert (answers[0] - answers[1]).abs().max() <= 1e-10


@pytest.mark.parametrize(
    "name, first, wanted",
    [
        ("no pads", 1, [(False, False), (False, False)]),
        ("no pads", 2, [(True, False), (False, False)]),
        ("both padded", 1, [(False, True), (False, True)]),
    ],
)
def test_a_mask_that_hides_nothing_is_left_out(name, first, wanted, monkeypatch):
    """Of two cached steps: whether self-attention and cross-attention get a mask."""
    model, (source, target) = model_of(n_layers=1).eval(), BATCHES[name]
    seen, attend = [], attention.fused_attention

    def watched(query, key, value, mask=None, dropout=0.0):
        seen.append(mask is not None)
        return attend(query, key, value, mask, dropout)

    memory, mask = model.encode(source), model.mask_source(source)
    monkeypatch.setattr(attention, "fused_attention", watched)
    cache = KeyValueCache()
    model.decode(target[:, :first], memory, mask, cache)
    model.decode(target[:, first : first + 1], memory, mask, cache)
    assert [tuple(seen[:2]), tuple(seen[2:])] == wanted


def test_a_bad_source_mask_is_refused_with_a_cache_too():
    model, (source, target) = model_of().eval(), BATCHES["no pads"]
    memory = model.encode(source)
    for mask, error in (
        (torch.ones(3, 1, 1, S), TypeError),
        (torch.ones(3, 1, 1, S + 1, dtype=torch.bool), ValueError),
    ):
        with pytest.raises(error, match="source_mask must"):
            model.decode(target[:, :1], memory, mask, KeyValueCache())


def test_what_is_packed_comes_back():
    keep = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 1]]).bool()
    packing, x = Packing((3, 4), keep[:, None, None]), torch.randn(3, 4, 2)
    keep[:, 0] = True
    packed = packing.pack(x)
    assert torch.equal(packed, x[keep][None])
    assert torch.equal(packing.unpack(packed)[keep], x[keep])
    assert torch.equal(packing.restore(packed), x * keep[..., None])
    assert torch.equal(Packing().pack(x), x) and torch.equal(
        Packing().restore(x), x
    )


@pytest.mark.parametrize("keep", [torch.ones(3, 1, 1, 7).bool(), None])
def test_without_pads_all_is_packed(keep):
    packing, x = Packing((3, 7), keep), torch.randn(3, 7, 2)
    assert torch.equal(packing.pack(x), x.reshape(1, 21, 2))  # (1, B·T, D)
    assert torch.equal(packing.restore(packing.pack(x)), x)


@pytest.mark.parametrize(
    "dtype, keys, learning, fused",
    [
        (torch.bfloat16, 999, True, False),
        (torch.bfloat16, 1000, True, True),
        (torch.bfloat16, 9, False, True),
        (torch.float16, 9, False, True),
        (torch.float32, 9, True, True),
    ],
)
def test_the_fused_kernel_is_left_where_it_is_slow(
    dtype, keys, learning, fused, monkeypatch
):
    """On a CPU without dropout: short keys in bfloat16 while gradients are wanted."""
    calls, kernel = [], F.scaled_dot_product_attention

    def counted(*arguments):
        calls.append(1)
        return kernel(*arguments)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    # as large as float16 can't square and add up
    query = torch.full((1, 1, 2, 64), 40.0, dtype=dtype, requires_grad=learning)
    key = torch.full((1, 1, keys, 64), 40.0, dtype=dtype)
    output = attention.fused_attention(query, key, key)
    assert bool(calls) is fused
    assert (output.float() - 40).abs().max() <= 2e-2 * 40
