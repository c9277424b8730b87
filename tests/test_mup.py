"""muP: what must not depend on the width does not, and without muP it does."""

import pytest
import torch
import torch.nn.functional as F
from subjects import V, symbols
from variant_subjects import config

from tfbook.variants import LanguageModel
from tfbook.variants.mup import mup, mup_factors

BASE, RATE = 16, 0.02


def model_of(width, seed=0, **changes):
    """Heads of 8, however wide the model is."""
    torch.manual_seed(seed)
    sizes = {"d_model": width, "n_heads": width // 8, "d_ff": 4 * width}
    return LanguageModel(config(**{**sizes, "tie_embeddings": False, **changes}))


def test_the_factors():
    for width in (16, 64):
        wider = width / BASE
        factors = mup_factors(model_of(width, positions="learned"), BASE)
        kinds = {
            "target_embedding.tokens.weight": (wider**0.5, 1),
            "target_embedding.position_embedding.weight": (1, 1),
            "decoder.layers.1.self_attention.key_projection.weight": (1, 1 / wider),
            "decoder.layers.0.feed_forward.linear_1.weight": (1, 1 / wider),
            "decoder.layers.0.feed_forward.linear_1.bias": (1, 1),
            "decoder.norm.weight": (1, 1),
        }
        assert {name: factors[name] for name in kinds} == kinds
        assert (width == BASE) == (set(factors.values()) == {(1, 1)})


def test_the_output_starts_smaller_and_the_embedding_does_not():
    """Whatever the vocabulary is, against which Xavier's start measures a width."""
    for vocab in (V, 997):
        deviations = []
        for width in (16, 256):
            model = model_of(width, target_vocab=vocab)
            mup(model, BASE, RATE)
            tokens = model.target_embedding.tokens.weight
            deviations.append((model.output.weight.std(), tokens.std()))
        (output, tokens), (wide_output, wide_tokens) = deviations
        assert (wide_output / output * 16).item() == pytest.approx(1, abs=0.15)
        assert (wide_tokens / tokens).item() == pytest.approx(1, abs=0.15)


def test_every_parameter_is_in_one_group_with_its_rate():
    model = model_of(64)
    factors = mup_factors(model, BASE)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    groups = mup(model, BASE, RATE)
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(rates)
    for name, parameter in model.named_parameters():
        start, rate = factors[name]
        assert rates.pop(id(parameter)) == RATE * rate
        assert torch.allclose(parameter, before[name] * start)
    assert not rates


def moved(width, with_mup, steps=3):
    """How far the logits move in the first steps of Adam."""
    changes = []
    for seed in range(3):
        model = model_of(width, seed)
        groups = mup(model, BASE, RATE) if with_mup else model.parameters()
        optimizer = torch.optim.Adam(groups, RATE)
        ids, labels = symbols(19, V, seed=seed), symbols(19, V, seed=seed + 9)
        start = model(ids).detach()
        for _ in range(steps):
            optimizer.zero_grad()
            F.cross_entropy(model(ids).flatten(0, 1), labels.flatten()).backward()
            optimizer.step()
        changes.append((model(ids) - start).abs().mean().item())
    return sum(changes) / len(changes)


def test_a_step_moves_the_logits_alike_at_every_width():
    """The coordinate check of Yang et al. 2022, appendix D.1."""
    with_mup = [moved(width, True) for width in (16, 256)]
    without = [moved(width, False) for width in (16, 256)]
    assert with_mup[0] == pytest.approx(without[0])
    assert 1 / 1.7 < with_mup[1] / with_mup[0] < 1.7
    assert without[1] / without[0] > 3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"^model must have tie_embeddings=False"):
        mup(model_of(16, tie_embeddings=True), BASE, RATE)
    for width in (0, 2.5):
        with pytest.raises((ValueError, TypeError), match=r"^base_width must"):
            mup_factors(model_of(16), width)
