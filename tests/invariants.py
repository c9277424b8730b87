"""What must hold of every model, whatever its weights and its design.

Each check takes a `Subject` (tests/subjects.py) and raises AssertionError where its promise is
broken. A check never looks inside a model: it changes what goes in and watches what comes out.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from subjects import noise, with_weights
from torch import nn

from tfbook import KeyValueCache, MultiHeadAttention

# Share of the largest value expected (of 1, where that is smaller). A sum in another order differs
# by a few units in the last place: 2e-16 in float64, 1e-7 in float32, 8e-3 in bfloat16.
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 2e-2}


def assert_same(got, wanted, claim, scale=1.0):
    assert got.shape == wanted.shape, (
        f"{claim}: shape {tuple(got.shape)}, not {wanted.shape}"
    )
    assert got.isfinite().all(), f"{claim}: not finite"
    difference = (got - wanted).abs().max().item() / max(
        scale, wanted.abs().max().item()
    )
    assert difference <= TOLERANCE[got.dtype], f"{claim}: {difference:.1e} apart"


def assert_moved(got, before, claim):
    """Differs by more than any rounding, so that a check cannot pass because nothing happened."""
    assert (got - before).abs().max() > 0.1 * TOLERANCE[torch.bfloat16], (
        f"{claim}: nothing moved"
    )


def no_leak_from_the_future(subject):
    """Position t neither changes with what stands after it nor sends a gradient there."""
    x = subject.x
    vectors, before = subject.trace(x)
    for t in (0, 2, x.size(1) - 2):
        changed = torch.cat((x[:, : t + 1], subject.other(x[:, t + 1 :])), dim=1)
        after = subject.run(changed)
        assert_same(
            after[:, : t + 1],
            before[:, : t + 1],
            f"position {t} sees what comes later",
        )
        assert_moved(after[:, t + 1 :], before[:, t + 1 :], "later positions")
        past = before[:, : t + 1]
        (gradient,) = torch.autograd.grad(
            (past * noise(past)).sum(), vectors, retain_graph=True
        )
        assert (gradient[:, t + 1 :] == 0).all(), (
            f"a gradient flows from {t} to what comes later"
        )
        assert gradient[:, : t + 1].any(), "no gradient flows at all"


def padding_changes_nothing(subject):
    """A short row in a padded batch gives what it gives alone, whatever stands at the pads."""
    x, garbage = subject.x, subject.other(subject.x)
    lengths = torch.tensor([x.size(1), 1, x.size(1) // 2])
    keep = torch.arange(x.size(1)) < lengths[:, None]  # (B, length)
    padded = subject.run(subject.put(x, garbage, ~keep), keep)
    for b, n in enumerate(lengths.tolist()):
        alone = subject.run(x[b : b + 1, :n], rows=[b])
        inside = padded[b : b + 1, :n] if subject.aligned else padded[b : b + 1]
        assert_same(inside, alone, f"row {b} changes when it is padded")


def hidden_content_changes_nothing(subject):
    """Holes anywhere, the first position among them: what stands there is not seen."""
    x, keep = subject.x, holes(subject.x)
    outputs = [
        subject.run(subject.put(x, other, ~keep), keep)
        for other in (x, subject.other(x), torch.zeros_like(x))
    ]
    if subject.aligned:  # a hidden position's own output may be anything
        outputs = [output[keep] for output in outputs]
    assert_same(outputs[1], outputs[0], "what stands at a pad is seen")
    assert_same(outputs[2], outputs[0], "what stands at a pad is seen")


def rows_are_independent(subject):
    """Each row of a batch gives what it gives alone and among other rows."""
    together = subject.run(subject.x)
    for b in range(len(subject.x)):
        alone = subject.run(subject.x[b : b + 1], rows=[b])
        assert_same(
            alone, together[b : b + 1], f"row {b} depends on the batch it is in"
        )
        changed = subject.other(subject.x)
        changed[b] = subject.x[b]
        among = subject.run(changed)
        assert_same(among[b], together[b], f"row {b} depends on its neighbours")


def _permuted(subject):
    """The output for x, and that for x in another order, brought back to the first order."""
    order = torch.randperm(
        subject.x.size(1), generator=torch.Generator().manual_seed(1)
    )
    keep = holes(subject.x)
    before, after = (
        subject.run(subject.x, keep),
        subject.run(subject.x[:, order], keep[:, order]),
    )
    return before, after[:, order.argsort()] if subject.aligned else after


def order_is_not_seen(subject):
    """Permutation equivariance; invariance where the output stands beside another sequence."""
    before, after = _permuted(subject)
    assert_same(after, before, "the order of the input is seen")


def order_is_seen(subject):
    before, after = _permuted(subject)
    assert_moved(after, before, "the order of the input is not seen")


def weights_are_shares(subject):
    """Each row of weights is non-negative, zero where masked, and sums to one; a row that may
    attend to nothing is zero.
    """
    with with_weights():
        calls = attention_calls(subject, holes(subject.x))
    for _, mask, _, weights in calls:
        allowed = (
            torch.ones_like(weights, dtype=torch.bool) if mask is None else mask
        )
        allowed = allowed.expand_as(weights)  # (B, H, T, S)
        assert (weights >= 0).all() and (weights[~allowed] == 0).all()
        assert_same(
            weights.sum(-1),
            allowed.any(-1).to(weights.dtype),
            "weights do not sum to one",
        )


def fully_masked_rows_are_zero(subject):
    """A row without a single key: attention adds its output bias alone, and all is finite,
    forward and backward.
    """
    keep = holes(subject.x)
    keep[1] = False
    empty = 0
    for layer, mask, output, weights in attention_calls(subject, keep):
        if mask is not None:
            rows = ~mask[:, 0].any(-1).expand(output.shape[:2])  # (B, T)
            if not rows.any():
                continue
            bias = layer.output_projection.bias.expand_as(output[rows])
            assert_same(output[rows], bias, "a fully masked row is not zero")
            assert weights is None or not weights.transpose(1, 2)[rows].any()
            empty += rows.sum()
    assert empty > 0, "no row was fully masked"
    vectors, output = subject.trace(subject.x, keep)
    assert output.isfinite().all()
    parameters = [p for p in subject.model.parameters() if p.requires_grad]
    loss = (output * noise(output)).sum()
    for gradient in torch.autograd.grad(
        loss, (vectors, *parameters), allow_unused=True
    ):
        assert gradient is None or gradient.isfinite().all(), (
            "a gradient is not finite"
        )


def cached_equals_full(subject):
    """Step by step, after a prefix, in uneven pieces, and with its rows reordered, pads among the
    symbols: what a cache remembers gives what the whole would give.
    """
    x, keep = subject.x, holes(subject.x)
    full = subject.run(x, keep)
    for pieces in (
        [1] * x.size(1),
        [3] + [1] * (x.size(1) - 3),
        [2, x.size(1) - 3, 1],
    ):
        cache = KeyValueCache()
        steps = [
            subject.run(part, shown, cache=cache)
            for part, shown in zip(
                x.split(pieces, 1), keep.split(pieces, 1), strict=True
            )
        ]
        assert_same(
            torch.cat(steps, dim=1), full, f"with a cache, in pieces of {pieces}"
        )
    rows, cache = [2, 0, 0], KeyValueCache()
    subject.run(x[:, :3], keep[:, :3], cache=cache)
    cache.select(torch.tensor(rows))
    after = subject.run(x[rows, 3:], keep[rows, 3:], rows, cache)
    assert_same(after, full[rows, 3:], "with a cache whose rows were reordered")


def dropout_is_off_in_eval(subject):
    """Built with dropout, the model repeats itself in eval mode and never in training mode."""
    subject.model.eval()
    first, second = subject.run(subject.x), subject.run(subject.x)
    assert torch.equal(first, second), "two passes in eval mode differ"
    subject.model.train()
    dropped, again = subject.run(subject.x), subject.run(subject.x)
    subject.model.eval()
    assert_moved(dropped, first, "training mode does not drop")
    assert_moved(dropped, again, "training mode drops the same values each time")


def every_dropout_is_live(subject):
    """In training mode each single dropout of the model changes what comes out."""
    evaluated = subject.run(subject.x)
    parts = [
        m
        for m in subject.model.modules()
        if isinstance(m, nn.Dropout | MultiHeadAttention)
    ]
    names = ["p" if isinstance(part, nn.Dropout) else "dropout" for part in parts]
    subject.model.train()
    for part, name in zip(parts, names, strict=True):
        setattr(part, name, 0.5)
        assert_moved(subject.run(subject.x), evaluated, f"dropping in {part} alone")
        setattr(part, name, 0.0)
    subject.model.eval()


def no_dropout_means_none(subject):
    """Built with dropout=0, training mode gives what eval mode gives."""
    evaluated = subject.run(subject.x)
    subject.model.train()
    trained = subject.run(subject.x)
    subject.model.eval()
    assert_same(trained, evaluated, "something is dropped at dropout=0")


def acceleration_changes_nothing(plain, accelerated, keep, training):
    """At real positions, keep (B, length), the accelerated model gives the output and the
    gradients of the plain one, in training mode and in eval.

    Gradients not in bfloat16, where a rounding may carry a value across the kink of a relu. Each
    is measured against the largest of all: where the true one is zero, as a key's bias has it,
    nothing but the rounding of the others is left.
    """
    results = []
    for subject in (plain, accelerated):
        subject.model.train(training)
        vectors, output = subject.trace(subject.x, keep)
        subject.model.eval()
        output = output[keep] if subject.aligned else output
        results.append([output])
        if vectors.requires_grad and output.dtype != torch.bfloat16:
            loss = (output * noise(output)).sum()
            results[-1] += torch.autograd.grad(
                loss, (vectors, *subject.model.parameters()), materialize_grads=True
            )
    (output, *gradients), (fast, *fast_gradients) = results
    assert_same(fast, output, "the accelerated model differs")
    scale = max((g.abs().max().item() for g in gradients), default=1.0)
    for gradient, wanted in zip(fast_gradients, gradients, strict=True):
        assert_same(gradient, wanted, "the accelerated gradient differs", scale)


def no_two_layers_start_alike(model):
    """In no stack do two layers start from the same values (norms and biases aside)."""
    for stack in (
        module for module in model.modules() if hasattr(module, "layers")
    ):
        for one, other in itertools.combinations(stack.layers, 2):
            for (name, a), b in zip(
                one.named_parameters(), other.parameters(), strict=True
            ):
                assert a.dim() < 2 or not torch.equal(a, b), (
                    f"two layers start alike: {name}"
                )


def first_loss_is_near_uniform(model, source, target, wanted):
    """Before it has learned anything a model knows nothing: its loss is near ln V.

    Logits of deviation 1 cost half a nat; a tied output besides favours the symbol just read, the
    more the wider the model is: together 2 nats at most.
    """
    loss = F.cross_entropy(
        model(source, target).flatten(0, 1), wanted.flatten()
    ).item()
    uniform = math.log(model.config.target_vocab)
    assert abs(loss - uniform) < 2, (
        f"first loss {loss:.1f} is not near ln V = {uniform:.1f}"
    )


def embeddings_are_dropped(embedding, ids):
    """In training mode `dropout` of the values are zero and the others are scaled up to match."""
    embedding.eval()
    kept = embedding(ids)
    embedding.train()
    dropped, p = embedding(ids), embedding.dropout.p
    share, deviation = (
        (dropped == 0).double().mean().item(),
        math.sqrt(p * (1 - p) / kept.numel()),
    )
    assert abs(share - p) < 5 * deviation, (
        f"{share:.2f} of the embedding is dropped, not {p}"
    )
    survivors = dropped != 0
    assert_same(
        dropped[survivors], kept[survivors] / (1 - p), "what is kept is not scaled"
    )


def holes(x):
    """Which positions are real, (B, length): a pad in front, pads inside, pads at the end."""
    keep = torch.ones(x.shape[:2], dtype=torch.bool)
    keep[0, 0] = keep[1, 2] = keep[1, -1] = keep[2, -2:] = False
    return keep


def attention_calls(subject, keep):
    """For each call of a MultiHeadAttention: the layer, its mask, output and weights."""
    calls = []

    def record(layer, arguments, keywords, result):
        output, weights = result
        calls.append((layer, arguments[3], output.detach(), weights))

    layers = [
        m for m in subject.model.modules() if isinstance(m, MultiHeadAttention)
    ]
    hooks = [
        layer.register_forward_hook(record, with_kwargs=True) for layer in layers
    ]
    subject.run(subject.x, keep)
    for hook in hooks:
        hook.remove()
    return calls
