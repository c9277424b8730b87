"""The loss, the schedule and the loop."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from tfbook import Transformer, TransformerConfig
from tfbook.data.batching import bucket, pad_pairs
from tfbook.tasks.copying import COPYING
from tfbook.training.loop import Training, sequence_loss, train, warmup_cosine
from tfbook.training.presets import Preset, preset

TINY = Preset(
    12,
    2,
    1,
    17,
    0.1,
    tokens=101,
    steps=60,
    learning_rate=1e-2,
    warmup=5,
    label_smoothing=0.05,
)


def tiny_pairs(count=41, symbols=7):
    """Sequences of 1 to 5 symbols, to be reversed."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 6, (count,), generator=generator).tolist()
    source = [
        torch.randint(3, symbols, (n,), generator=generator).tolist()
        for n in lengths
    ]
    return [(ids, ids[::-1]) for ids in source]


def tiny_model(**changes):
    torch.manual_seed(2)
    sizes = TINY.architecture() | changes
    return Transformer(
        TransformerConfig(source_vocab=7, target_vocab=7, max_length=11, **sizes)
    )


def trained(recipe=TINY, seed=0, **keywords):
    model = tiny_model()
    return model, train(model, tiny_pairs(), recipe, seed, **keywords)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.37])
def test_loss_is_the_formula_over_what_is_not_pad(smoothing):
    r"""$-(1 - \varepsilon) \log p(y) - \varepsilon / V \sum_v \log p(v)$, symbol by symbol."""
    for pad in (0, 4):
        logits = torch.randn(3, 5, 7, dtype=torch.float64)  # (B, T, V)
        target = torch.tensor(
            [[1, 2, 3, 5, 6], [6, 5, pad, pad, pad], [2, pad, pad, pad, pad]]
        )
        terms = []
        for row, ids in zip(logits.tolist(), target.tolist(), strict=True):
            for scores, y in zip(row, ids, strict=True):
                if y != pad:
                    total = math.log(sum(map(math.exp, scores)))
                    logs = [score - total for score in scores]
                    evenly = sum(logs) / len(logs)
                    terms.append((smoothing - 1) * logs[y] - smoothing * evenly)
        loss = sequence_loss(logits, target, pad, smoothing)
        assert loss.item() == pytest.approx(sum(terms) / len(terms), abs=1e-12)


def test_loss_is_pytorchs_on_the_unpadded_symbols():
    """However many pads follow, and whatever the model says there; no gradient reaches them."""
    logits = torch.randn(2, 5, 7, requires_grad=True)  # (B, T, V)
    target = torch.tensor([[1, 2, 3, 0, 0], [6, 5, 0, 0, 0]])
    loss = sequence_loss(logits, target, label_smoothing=0.2)
    real = torch.cat([logits[0, :3], logits[1, :2]])  # (5, V)
    wanted = F.cross_entropy(
        real, torch.tensor([1, 2, 3, 6, 5]), label_smoothing=0.2
    )
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    pads = target == 0
    assert not logits.grad[pads].any() and logits.grad[~pads].all()


def test_schedule_is_pytorchs():
    """A line up to 1 in `warmup` steps, then half a cosine down to 0."""
    for warmup, steps in ((1, 7), (5, 23), (30, 101)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        up = torch.optim.lr_scheduler.LinearLR(
            optimizer, 1 / warmup, total_iters=warmup - 1 or 1
        )
        down = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warmup)
        theirs = torch.optim.lr_scheduler.SequentialLR(
            optimizer, [up, down], [warmup]
        )
        for step in range(steps):
            assert warmup_cosine(step, warmup, steps) == pytest.approx(
                theirs.get_last_lr()[0], abs=1e-6
            )
            optimizer.step()
            theirs.step()


def test_schedule_has_the_right_ends():
    assert [4 * warmup_cosine(step, 4, 100) for step in range(5)] == [1, 2, 3, 4, 4]
    assert 0 < warmup_cosine(99, 4, 100) < 1e-3
    assert warmup_cosine(100, 4, 100) == pytest.approx(0, abs=1e-7)
    assert warmup_cosine(52, 4, 100) == pytest.approx(0.5)
    assert warmup_cosine(0, 0, 100) == 1.0


def test_training_lowers_the_loss():
    model, losses = trained()
    assert len(losses) == TINY.steps
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])
    assert not model.training


def test_without_learning_rate_nothing_moves():
    """AdamW's decay is of the learning rate too: every weight stays, bit for bit."""
    model, _ = trained(dataclasses.replace(TINY, learning_rate=0.0))
    before, after = tiny_model().state_dict(), model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moved = trained()[0].state_dict()
    assert not any(torch.equal(before[name], moved[name]) for name in before)


def test_the_seed_decides_everything():
    """The order and the dropout; whatever was drawn before."""
    assert trained(seed=3)[1] == trained(seed=3)[1] != trained(seed=4)[1]
    model = tiny_model()
    torch.rand(5)
    assert train(model, tiny_pairs(), TINY, seed=3) == trained(seed=3)[1]


def test_the_loop_is_adamw_with_clipping():
    """The same steps by hand: norm of all gradients at most 1, schedule, decay, betas."""
    recipe = dataclasses.replace(TINY, dropout=0.0, steps=13)
    model, norms, hand = tiny_model(dropout=0.0), [], []
    losses = train(model, tiny_pairs(), recipe, seed=5)
    ours = tiny_model(dropout=0.0)
    weights = list(ours.parameters())
    first, second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    order, batches = torch.Generator().manual_seed(5), []
    for step in range(recipe.steps):
        batches = batches or bucket(tiny_pairs(), recipe.tokens, order)
        source, target = pad_pairs([tiny_pairs()[i] for i in batches.pop()])
        loss = sequence_loss(ours(source, target[:, :-1]), target[:, 1:], 0, 0.05)
        gradients = torch.autograd.grad(loss, weights)
        norms.append(math.sqrt(sum(float((g**2).sum()) for g in gradients)))
        hand.append(loss.item())
        rate = recipe.learning_rate * warmup_cosine(
            step, recipe.warmup, recipe.steps
        )
        with torch.no_grad():
            for w, g, m, v in zip(weights, gradients, first, second, strict=True):
                g = g / max(1.0, norms[-1])
                m.mul_(0.9).add_(g, alpha=0.1)
                v.mul_(0.98).add_(g**2, alpha=0.02)
                w -= rate * 0.01 * w
                corrected = (v / (1 - 0.98 ** (step + 1))).sqrt() + 1e-8
                w -= rate * m / (1 - 0.9 ** (step + 1)) / corrected
    assert min(norms) < 1 < max(norms), (
        "clipping must matter in some steps, not in all"
    )
    assert losses == pytest.approx(hand, abs=1e-4)


def test_a_training_that_averages_ends_with_the_running_average():
    r"""$\bar w_1 = w_1$, $\bar w_t = 0.8 \bar w_{t-1} + 0.2 w_t$, whatever the steps do."""
    recipe = dataclasses.replace(TINY, averaging=0.8, steps=13)
    plain = Training(tiny_model(), tiny_pairs(), recipe, seed=5)
    averages = None
    for _ in range(recipe.steps):
        plain.step()
        now = [p.detach().clone() for p in plain.model.parameters()]
        pairs = zip(averages or now, now, strict=True)
        averages = [0.8 * average + 0.2 * weight for average, weight in pairs]
    model, losses = trained(recipe, seed=5)
    assert losses == plain.losses, "the average must not change the steps"
    for got, wanted, last in zip(model.parameters(), averages, now, strict=True):
        assert torch.allclose(got, wanted, atol=1e-6)
        assert not torch.allclose(got, last, atol=1e-6)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_of_the_average_that_is_none_is_refused(share):
    recipe = dataclasses.replace(TINY, averaging=share)
    with pytest.raises(ValueError, match=r"^recipe.averaging must"):
        Training(tiny_model(), tiny_pairs(), recipe)


def by_pieces(pieces):
    """The loss and the gradients of one batch, taken in pieces."""
    recipe = dataclasses.replace(TINY, pieces=pieces, dropout=0.0)
    training = Training(tiny_model(dropout=0.0).double(), tiny_pairs(), recipe)
    loss = training.accumulate_gradients(*training.next_batch())
    return loss, [p.grad for p in training.model.parameters()]


@pytest.mark.parametrize("pieces", [2, 3, 5])
def test_pieces_together_are_the_batch(pieces):
    """Sequences differ in length, so the mean of the pieces' means would not be."""
    (whole, wanted), (loss, gradients) = by_pieces(1), by_pieces(pieces)
    assert loss == pytest.approx(whole, abs=1e-12)
    for ours, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=1e-9)


def test_pieces_are_forwards_of_their_own():
    model, seen = tiny_model(), []
    model.register_forward_pre_hook(lambda module, ids: seen.append(len(ids[0])))
    recipe = dataclasses.replace(TINY, pieces=3)
    training = Training(model, tiny_pairs(), recipe)
    source, target = training.next_batch()
    training.accumulate_gradients(source, target)
    assert len(seen) == 3 and sum(seen) == len(source) == len(target)


def test_16_bit_products_learn_the_same():
    """Rounded, so not equal; with the weights of the first step kept, loss would stay up."""
    exact = trained(dataclasses.replace(TINY, dropout=0.0))[1]
    model, rounded = trained(dataclasses.replace(TINY, dropout=0.0, bfloat16=True))
    assert exact[0] != rounded[0] == pytest.approx(exact[0], abs=0.05)
    assert sum(rounded[-10:]) == pytest.approx(sum(exact[-10:]), rel=0.1)
    assert sum(exact[-10:]) < 0.7 * sum(exact[:10])
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_a_pad_that_is_not_the_batches_is_refused():
    config = TransformerConfig(13, 13, d_model=10, n_heads=1, n_layers=1, pad=5)
    with pytest.raises(ValueError, match=r"config.pad must be 0.*got 5"):
        train(Transformer(config), [([3], [3])], preset(COPYING))


def test_the_rate_stays_down_after_the_end():
    assert warmup_cosine(150, 10, 100) == warmup_cosine(100, 10, 100) < 1e-9


def test_a_step_is_in_the_mode_of_the_model():
    training = Training(tiny_model().eval(), tiny_pairs(), TINY)
    for mode in (True, False):
        training.model.train(mode)
        training.step()
        assert training.fast.training is mode
        assert {module.training for module in training.fast.modules()} == {mode}
