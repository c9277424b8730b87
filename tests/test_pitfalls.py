"""Each bug of the gallery is caught by the check that its docstring names, and with the bug gone
the check passes again.
"""

import functools
import inspect
import sys
from contextlib import contextmanager
from pathlib import Path

import invariants as hold
import pytest
import torch
import torch.nn.functional as F
import training_checks
from subjects import (
    KINDS,
    SIZES,
    SOURCE_VOCAB,
    S,
    T,
    V,
    build,
    grown,
    symbols,
    vectors,
)
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from variant_subjects import MIXERS, TODAY, language_model

from tfbook import Encoder, Transformer, pretrained
from tfbook.model.layers import AddNorm, InputEmbedding
from tfbook.pitfalls import PITFALLS
from tfbook.variants.window import LocalAttention

# Checks beside those of tests/invariants.py and tests/training_checks.py


def half_agrees_with_float(subject):
    """In float16 the model says what it says in float32, about padded rows too."""
    keep, outputs = hold.holes(subject.x), {}
    for dtype in (torch.float32, torch.float16, torch.float64):
        subject.model.to(dtype)
        outputs[dtype] = subject.run(subject.x, keep).float()
    difference = (
        (outputs[torch.float16] - outputs[torch.float32]).abs().max().item()
    )
    assert difference < 0.05, f"float16 is {difference:.1e} from float32"


def norm_is_layer_norm(add_norm, x):
    """Add & Norm normalises as PyTorch's function does."""
    normed = (
        add_norm(x, torch.clone) - x
        if add_norm.pre
        else add_norm(x, torch.zeros_like)
    )
    hold.assert_same(
        normed, F.layer_norm(x, x.shape[-1:]), "the norm is not F.layer_norm"
    )


def loaded_equals_torch(reference, source, target):
    """Encoder and decoder loaded from PyTorch's Transformer answer as it does."""
    encoder, decoder = pretrained.load_torch_transformer(reference)
    ours, theirs = decoder(target, encoder(source)), reference(source, target)
    hold.assert_same(ours, theirs, "the loaded Transformer is another")


def odd_width_runs(subject):
    """An odd d_model is as good as any other."""
    assert subject.run(subject.x).isfinite().all(), (
        "an odd width gives no finite output"
    )


def loaded_equals_llama(reference, ids):
    """A model loaded from a Llama with grouped queries answers as it does."""
    ours, theirs = pretrained.load_llama(reference)(ids), reference(ids).logits
    hold.assert_same(ours, theirs, "the loaded Llama is another")


def window_ends_where_it_says(layer, x):
    """Local attention sees as many positions as its window has, and no more."""
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x, x, x)[0][:, -1].sum(), x)
    seen = gradient.ne(0).any(-1).sum(-1)  # (B,)
    assert (seen == layer.window).all(), f"{layer.window} became {seen.tolist()}"


# For each bug its check, and whom it is shown to: functions that build the check's arguments


def shown(*kinds, **design):
    return [
        lambda kind=kind: (KINDS[kind](torch.float64, **design),) for kind in kinds
    ]


def add_norms():
    x = vectors(T, torch.float64) / 100
    return [
        lambda norm=norm: (build(AddNorm, norm=norm), x) for norm in ("pre", "post")
    ]


def torch_transformer():
    widths = (SIZES["d_model"], SIZES["n_heads"])
    reference = nn.Transformer(*widths, 2, 2, SIZES["d_ff"], batch_first=True)
    source, target = vectors(S, torch.float64), vectors(T, torch.float64)
    return grown(reference.double().eval()), source, target


def at_the_start():
    return (
        build(Transformer),
        symbols(S, SOURCE_VOCAB),
        symbols(T, V),
        symbols(T, V, seed=6),
    )


def embedding():
    return build(lambda c: InputEmbedding(c.source_vocab, c), dropout=0.5), symbols(
        S, SOURCE_VOCAB
    )


def llama():
    sizes = {"hidden_size": 60, "num_attention_heads": 6, "num_key_value_heads": 2}
    sizes |= {"vocab_size": V, "intermediate_size": 23, "num_hidden_layers": 2}
    config = LlamaConfig(**sizes)
    return grown(LlamaForCausalLM(config).double().eval()), symbols(T, V)


def a_window():
    torch.manual_seed(0)
    layer = LocalAttention(SIZES["d_model"], SIZES["n_heads"], 1, window=3)
    return layer.double(), vectors(T, torch.float64)


def written_by(name):
    """A language model with what MIXERS names."""
    return [lambda: (language_model(torch.float64, **MIXERS[name]),)]


EACH = ("attention_to_memory", "encoder", "target")  # a layer, a stack, the whole
CHECKS = {
    "mask_inverted": (hold.padding_changes_nothing, shown(*EACH)),
    "padding_mask_on_rows": (
        hold.padding_changes_nothing,
        shown("encoder", "source"),
    ),
    "fully_masked_row_is_nan": (
        hold.fully_masked_rows_are_zero,
        shown("self_attention", "encoder", "decoder_only"),
    ),
    "fully_masked_row_is_uniform": (
        hold.fully_masked_rows_are_zero,
        shown("self_attention", "encoder", "decoder_only"),
    ),
    "mask_overflows_in_half": (half_agrees_with_float, shown("source", "target")),
    "cross_attention_mask_dropped": (
        hold.padding_changes_nothing,
        shown("decoder_memory", "source"),
    ),
    "causal_mask_missing": (hold.no_leak_from_the_future, shown("target")),
    "causal_mask_top_left": (hold.cached_equals_full, shown("target")),
    "mask_lost_after_first_layer": (
        hold.padding_changes_nothing,
        shown("encoder", "source"),
    ),
    "norm_over_time": (
        hold.no_leak_from_the_future,
        shown("decoder_only", "decoder", "target"),
    ),
    "batch_and_time_swapped": (
        hold.rows_are_independent,
        shown("self_attention", "encoder"),
    ),
    "softmax_over_queries": (hold.weights_are_shares, shown(*EACH)),
    "final_norm_forgotten": (loaded_equals_torch, [torch_transformer]),
    "norm_with_unbiased_deviation": (norm_is_layer_norm, add_norms()),
    "norm_with_eps_outside_the_root": (norm_is_layer_norm, add_norms()),
    "zero_dropout_ignored": (hold.no_dropout_means_none, shown(*EACH)),
    "layers_start_identical": (
        hold.no_two_layers_start_alike,
        [lambda: (build(Encoder),), lambda: (build(Transformer),)],
    ),
    "embedding_dropout_missing": (hold.embeddings_are_dropped, [embedding]),
    "dropout_live_in_eval": (
        hold.dropout_is_off_in_eval,
        shown(*EACH, dropout=0.5),
    ),
    "tied_embeddings_start_too_large": (
        hold.first_loss_is_near_uniform,
        [at_the_start],
    ),
    "positions_added_to_rows": (
        hold.rows_are_independent,
        shown("source", "target"),
    ),
    "positions_not_used": (hold.order_is_seen, shown("source")),
    "odd_width_crashes": (odd_width_runs, shown("source", "target", d_model=35)),
    "cached_position_restarts": (
        hold.cached_equals_full,
        shown("target", positions="sinusoidal")
        + shown("target", positions="learned")
        + shown("target", positions="rotary"),
    ),
    "window_off_by_one": (window_ends_where_it_says, [a_window]),
    "chunk_sees_its_own_future": (
        hold.no_leak_from_the_future,
        written_by("linear"),
    ),
    "keys_repeated_in_turn": (loaded_equals_llama, [llama]),
    "rms_norm_over_time": (
        hold.no_leak_from_the_future,
        [lambda: (language_model(torch.float64, **TODAY),)],
    ),
    "rotary_applied_after_the_cache": (
        hold.cached_equals_full,
        written_by("attention"),
    ),
    **training_checks.CHECKS,
}
# Bugs that crash, and what they say; all others end in the AssertionError of their check
CRASHES = {
    "mask_overflows_in_half": (RuntimeError, "Half without overflow"),
    "odd_width_crashes": (RuntimeError, "expanded size"),
}
every_pitfall = pytest.mark.parametrize("name", PITFALLS)
pytestmark = pytest.mark.filterwarnings(
    "ignore:enable_nested_tensor is True"
)  # of nn.Transformer's own constructor


@contextmanager
def caught(name):
    """Expect what this bug's check raises: an assertion of these tests, not of something else."""
    error, message = CRASHES.get(name, (AssertionError, None))
    with pytest.raises(error, match=message) as info:
        yield
    if error is AssertionError:
        assert Path(info.traceback[-1].path).parent == Path(__file__).parent


@every_pitfall
def test_its_check_fails_inside_and_passes_before_and_after(name):
    """On models built inside; and on those built before, unless it says otherwise."""
    check, audience = CHECKS[name]
    for subject in audience:
        built_before = subject()
        check(*built_before)
        with PITFALLS[name]():
            with caught(name):
                check(*subject())
            if "Build the model inside" in PITFALLS[name].__doc__:
                check(*built_before)
            else:
                with caught(name):
                    check(*built_before)
        check(*built_before)


@pytest.mark.parametrize(
    ("name", "check", "kind"),
    [
        ("mask_inverted", hold.padding_changes_nothing, "encoder"),
        (
            "fully_masked_row_is_nan",
            hold.fully_masked_rows_are_zero,
            "decoder_only",
        ),
        ("softmax_over_queries", hold.no_leak_from_the_future, "decoder_only"),
        ("padding_mask_on_rows", hold.padding_changes_nothing, "encoder"),
        ("causal_mask_missing", hold.no_leak_from_the_future, "target"),
        ("norm_over_time", hold.no_leak_from_the_future, "target"),
        ("dropout_live_in_eval", hold.dropout_is_off_in_eval, "decoder"),
        ("positions_added_to_rows", hold.rows_are_independent, "source"),
    ],
)
def test_what_is_accelerated_inside_has_the_bug_too(name, check, kind):
    """As where lessons train inside the `with`."""
    subject = functools.partial(
        KINDS[kind], torch.float64, "accelerated", dropout=0.5
    )
    check(subject())
    with PITFALLS[name](), caught(name):
        check(subject())
    check(subject())


def surroundings():
    """Every attribute of every module of tfbook, and of every class that they and a model use."""
    modules = [
        module for name, module in sys.modules.items() if name.startswith("tfbook")
    ]
    classes = {c for m in modules for c in vars(m).values() if inspect.isclass(c)}
    classes |= {type(part) for part in build(Transformer).modules()}
    return {
        (owner, name): id(value)
        for owner in (*modules, *classes)
        for name, value in vars(owner).items()
    }


@every_pitfall
def test_it_leaves_no_trace_even_after_an_exception(name):
    before = surroundings()
    with pytest.raises(ZeroDivisionError), PITFALLS[name]():
        assert surroundings() != before, "the pitfall changes nothing"
        raise ZeroDivisionError
    assert surroundings() == before


def test_bugs_can_be_combined():
    before = surroundings()
    with PITFALLS["padding_mask_on_rows"](), PITFALLS["causal_mask_missing"]():
        for name in ("padding_mask_on_rows", "causal_mask_missing"):
            check, audience = CHECKS[name]
            with caught(name):
                check(*audience[0]())
    assert surroundings() == before


def test_a_second_bug_in_the_same_function_is_refused():
    with (
        PITFALLS["causal_mask_missing"](),
        pytest.raises(RuntimeError, match="causal_mask"),
    ):
        PITFALLS["causal_mask_top_left"]().__enter__()


@every_pitfall
def test_its_docstring_has_all_parts(name):
    text = inspect.getdoc(PITFALLS[name])
    assert text.splitlines()[0].endswith("."), "the first line must be a sentence"
    places = [
        text.find(f"\n{part}: ")
        for part in ("Looks innocent", "Symptom", "Caught by")
    ]
    assert 0 < places[0] < places[1] < places[2], (
        "a part is missing, or out of order"
    )
    assert f"`{CHECKS[name][0].__name__}`" in text[places[2] :]


def test_every_topic_is_covered_in_order():
    numbers = [bug.number for bug in PITFALLS.values()]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, 30))
    assert set(CHECKS) == set(PITFALLS)
