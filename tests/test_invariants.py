"""The invariants, over kinds of models, designs, dtypes, plain and accelerated.

What the checks say stands in tests/invariants.py, what they are asked of in tests/subjects.py.
The cases are chosen pairwise: each norm with each position scheme, each kind with each dtype, and
so on. tests/mutations.py shows which faults they catch.
"""

import functools
import itertools

import invariants
import pytest
import torch
from pairwise import pairwise
from subjects import (
    CAUSAL,
    KINDS,
    SOURCE_VOCAB,
    WAYS,
    S,
    T,
    V,
    build,
    kernel_of,
    symbols,
)

from tfbook import Transformer
from tfbook.model.config import CHOICES
from tfbook.model.layers import InputEmbedding

DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}
DESIGN = {**CHOICES, "tie_embeddings": (True, False)}
# positions that enter where queries meet keys, not with the embedding
IN_ATTENTION = {"rotary"}
PADS = {  # which positions of x are real, (B, length)
    "none": lambda x: torch.ones(x.shape[:2], dtype=torch.bool),
    "behind": lambda x: torch.arange(x.size(1)) < torch.tensor([[4], [1], [6]]),
    "between": invariants.holes,
}


def accelerates(case):
    """Attention outside of a stack is not accelerated."""
    return case["way"] == "plain" or "attention" not in case["kind"]


def accelerates_in_training(case):
    """Nor does a gradient in bfloat16 go through the fused kernel."""
    return accelerates(case) and (case["way"], case["dtype"]) != (
        "accelerated",
        "bf16",
    )


def over(kinds, allowed=accelerates, ways=WAYS):
    """Parametrise a test by kind, way, dtype and design, chosen pairwise."""
    factors = {"kind": kinds, "way": ways, "dtype": DTYPES, **DESIGN}
    cases = []
    for case in pairwise(factors, allowed):
        kind, way, dtype, *design = case.values()
        design, name = dict(zip(DESIGN, design, strict=True)), name_of(case)
        cases.append(pytest.param(kind, way, dtype, design, id=name))
    return pytest.mark.parametrize(("kind", "way", "dtype", "design"), cases)


def name_of(case):
    """What a test's report calls a case, or a design."""
    return "-".join(map(str, case.values()))


@functools.cache
def subject_of(kind, way, dtype, **design):
    return KINDS[kind](DTYPES[dtype], way, **design)


@pytest.fixture
def subject(kind, way, dtype, design):
    """Without gradients, as in use: then the kernel is the fused one in bfloat16, too."""
    with torch.no_grad(), kernel_of(way):
        yield subject_of(kind, way, dtype, **design)


@pytest.fixture
def learner(kind, way, dtype, design):
    with kernel_of(way):
        yield subject_of(kind, way, dtype, **design)


@over(CAUSAL, accelerates_in_training)
def test_no_leak_from_the_future(learner):
    invariants.no_leak_from_the_future(learner)


@over(KINDS)
def test_padding_changes_nothing(subject):
    invariants.padding_changes_nothing(subject)


@over(KINDS)
def test_hidden_content_changes_nothing(subject):
    invariants.hidden_content_changes_nothing(subject)


@over(KINDS)
def test_rows_are_independent(subject):
    invariants.rows_are_independent(subject)


@over([kind for kind in KINDS if kind not in CAUSAL])
def test_order_is_seen_by_positions_alone(subject, kind, design):
    """A stack adds no positions to its input: of vectors it sees only an order that is applied
    in its attention.
    """
    if kind == "source":
        seen = design["positions"] != "none"
    else:
        seen = design["positions"] in IN_ATTENTION and kind != "decoder_memory"
    (invariants.order_is_seen if seen else invariants.order_is_not_seen)(subject)


@over(KINDS, accelerates_in_training)
def test_fully_masked_rows_are_zero(learner):
    invariants.fully_masked_rows_are_zero(learner)


@over(KINDS, ways=["plain"])
def test_weights_are_shares(subject):
    invariants.weights_are_shares(subject)


@over(CAUSAL)
def test_cached_equals_full(subject):
    invariants.cached_equals_full(subject)


@over(KINDS)
def test_no_dropout_means_none(subject):
    invariants.no_dropout_means_none(subject)


ACCELERATED = [kind for kind in KINDS if "attention" not in kind]


@pytest.mark.parametrize(
    "case",
    pairwise(
        {
            "kind": ACCELERATED,
            "dtype": DTYPES,
            "pads": PADS,
            "training": (True, False),
            **DESIGN,
        }
    ),
    ids=name_of,
)
def test_acceleration_changes_nothing(case):
    kind, dtype, pads, training, *design = case.values()
    design = dict(zip(DESIGN, design, strict=True))
    plain, accelerated = (subject_of(kind, way, dtype, **design) for way in WAYS)
    invariants.acceleration_changes_nothing(
        plain, accelerated, PADS[pads](plain.x), training
    )


@pytest.mark.parametrize(
    "case",
    pairwise({"kind": KINDS, "way": WAYS, "norm": CHOICES["norm"]}, accelerates),
    ids=name_of,
)
def test_dropout_is_off_in_eval(case):
    kind, way, norm = case.values()
    invariants.dropout_is_off_in_eval(
        KINDS[kind](torch.float64, way, dropout=0.5, norm=norm)
    )


@pytest.mark.parametrize("kind", ["attention_to_memory", "encoder", "target"])
@pytest.mark.parametrize("norm", CHOICES["norm"])
def test_every_dropout_is_live(kind, norm):
    invariants.every_dropout_is_live(KINDS[kind](torch.float64, norm=norm))


@pytest.mark.parametrize("positions", CHOICES["positions"])
def test_embeddings_are_dropped(positions):
    model = build(Transformer, positions=positions, dropout=0.25)
    for embedding in (m for m in model.modules() if isinstance(m, InputEmbedding)):
        invariants.embeddings_are_dropped(embedding, symbols(T, V))


@pytest.mark.parametrize("design", pairwise(DESIGN), ids=name_of)
def test_first_loss_is_near_uniform(design):
    ids = symbols(S, SOURCE_VOCAB), symbols(T, V), symbols(T, V, seed=4)
    invariants.first_loss_is_near_uniform(build(Transformer, **design), *ids)


@pytest.mark.parametrize("norm", CHOICES["norm"])
def test_no_two_layers_start_alike(norm):
    invariants.no_two_layers_start_alike(build(Transformer, norm=norm, n_layers=3))


def test_every_two_values_meet_in_fewer_cases_than_all():
    factors = {"kind": KINDS, "way": WAYS, "dtype": DTYPES, **DESIGN}
    chosen = pairwise(factors, accelerates_in_training)
    assert chosen == pairwise(factors, accelerates_in_training)
    assert all(map(accelerates_in_training, chosen))
    met = {
        pair for case in chosen for pair in itertools.combinations(case.items(), 2)
    }
    product = [
        dict(zip(factors, values, strict=True))
        for values in itertools.product(*factors.values())
    ]
    possible = [case for case in product if accelerates_in_training(case)]
    wanted = {
        p for case in possible for p in itertools.combinations(case.items(), 2)
    }
    assert met == wanted and len(chosen) < len(possible) / 20
