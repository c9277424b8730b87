"""Every invariant, over every kind of model, design, attention path and dtype.

What the checks say stands in tests/invariants.py, what they are asked of in tests/subjects.py.
"""

import functools
import itertools

import invariants
import pytest
import torch
from subjects import (
    CAUSAL,
    DESIGNS,
    KINDS,
    PATHS,
    SOURCE_VOCAB,
    S,
    T,
    V,
    attention_path,
    build,
    symbols,
)

from tfbook import Transformer
from tfbook.model.config import CHOICES
from tfbook.model.layers import InputEmbedding

DTYPES = {"fp64": torch.float64, "fp32": torch.float32, "bf16": torch.bfloat16}
IN_ATTENTION = {
    "rotary"
}  # positions that enter where queries meet keys, not with the embedding


def over(kinds, paths=PATHS):
    """Parametrise a test: each kind in each design, on each path, in each dtype."""
    cases = [
        pytest.param(
            kind,
            path,
            dtype,
            design,
            id="-".join((kind, path, dtype, *design.values())),
        )
        for kind, path, dtype, design in itertools.product(
            kinds, paths, DTYPES, DESIGNS
        )
    ]
    return pytest.mark.parametrize(("kind", "path", "dtype", "design"), cases)


@functools.cache
def subject_of(kind, dtype, **design):
    return KINDS[kind](DTYPES[dtype], **design)


@pytest.fixture
def subject(kind, path, dtype, design):
    with attention_path(path):
        yield subject_of(kind, dtype, **design)


@over(CAUSAL)
def test_no_leak_from_the_future(subject):
    invariants.no_leak_from_the_future(subject)


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
    """A stack adds no positions to its input: of vectors it sees only an order that is turned into
    its attention.
    """
    if kind == "source":
        seen = design["positions"] != "none"
    else:
        seen = design["positions"] in IN_ATTENTION and kind != "decoder_memory"
    (invariants.order_is_seen if seen else invariants.order_is_not_seen)(subject)


@over(KINDS)
def test_fully_masked_rows_are_zero(subject):
    invariants.fully_masked_rows_are_zero(subject)


@over(KINDS, paths=["shown"])
def test_weights_are_shares(subject):
    invariants.weights_are_shares(subject)


@over(CAUSAL)
def test_cached_equals_full(subject):
    invariants.cached_equals_full(subject)


@over(KINDS, paths=["both"])
def test_paths_agree(kind, path, dtype, design):
    """Outputs always; gradients not through a whole stack in bfloat16, where a rounding may carry
    a value across the kink of a relu, and its gradient jumps.
    """
    gradients = dtype != "bf16" or "attention" in kind
    invariants.paths_agree(subject_of(kind, dtype, **design), gradients)


@over(KINDS)
def test_no_dropout_means_none(subject):
    invariants.no_dropout_means_none(subject)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("norm", CHOICES["norm"])
def test_dropout_is_off_in_eval(kind, path, norm):
    with attention_path(path):
        invariants.dropout_is_off_in_eval(
            KINDS[kind](torch.float64, dropout=0.5, norm=norm)
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", CHOICES["norm"])
def test_every_dropout_is_live(kind, norm):
    invariants.every_dropout_is_live(KINDS[kind](torch.float64, norm=norm))


@pytest.mark.parametrize("positions", CHOICES["positions"])
def test_embeddings_are_dropped(positions):
    model = build(Transformer, positions=positions, dropout=0.25)
    for embedding in (m for m in model.modules() if isinstance(m, InputEmbedding)):
        invariants.embeddings_are_dropped(embedding, symbols(T, V))


@pytest.mark.parametrize(
    "design", DESIGNS, ids=lambda design: "-".join(design.values())
)
@pytest.mark.parametrize("tied", [True, False])
def test_first_loss_is_near_uniform(design, tied):
    model = build(Transformer, tie_embeddings=tied, **design)
    ids = symbols(S, SOURCE_VOCAB), symbols(T, V), symbols(T, V, seed=4)
    invariants.first_loss_is_near_uniform(model, *ids)


@pytest.mark.parametrize("norm", CHOICES["norm"])
def test_no_two_layers_start_alike(norm):
    invariants.no_two_layers_start_alike(build(Transformer, norm=norm, n_layers=3))
