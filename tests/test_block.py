"""The block of today: each change alone and all together, in a language model and in the
encoder-decoder, by the invariants that hold of the paper's block.
"""

import dataclasses
import math

import invariants
import pytest
import torch
import torch.nn.functional as F
from pairwise import pairwise
from subjects import SIZES, SOURCE_VOCAB, B, S, T, V, grown, noise, symbols, vectors
from torch import nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaMLP
from variant_subjects import (
    GROUPED,
    MIXERS,
    TODAY,
    built,
    causal_mixer,
    config,
    language_model,
    modern_source,
    modern_target,
    modern_transformer,
)

from tfbook import (
    Encoder,
    KeyValueCache,
    Transformer,
    beam_search,
    greedy_decode,
    sample,
    speculative_decode,
)
from tfbook.fast import accelerate
from tfbook.model.gpt import GPT
from tfbook.training.drawn import train_drawn
from tfbook.training.loop import train
from tfbook.training.presets import Preset
from tfbook.variants import BlockConfig, LanguageModel, RMSNorm, SwiGLU, modernise
from tfbook.weights.stored import load_weights, save_weights

# what one change is, and what it does to the names of a model's parameters
CHANGES = {
    "rms_norm": {"rms_norm": True},
    "swiglu": {"swiglu": True},
    "no biases": {"bias": False},
    "larger base": {"positions": "rotary", "rotary_base": 500.0},
    "grouped queries": GROUPED,
    "multi-query": {"n_key_heads": 1},
    "qk_norm": {"qk_norm": True},
    "sink": {"sink": True},
    "scaled residuals": {"scale_residuals": True},
    "untied": {"tie_embeddings": False},
    "today": TODAY,
}
NAMED = {**MIXERS, "today": TODAY}
FP64 = torch.float64


def copied(model, reference):
    """The model with the reference's parameters, which have the same names."""
    model.load_state_dict(reference.state_dict())
    return model


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary"])
def test_with_the_defaults_it_is_a_gpt(positions):
    torch.manual_seed(1)
    gpt = grown(GPT(config(positions=positions)).double().eval())
    ours = copied(built(LanguageModel, positions=positions), gpt)
    ids = symbols(T, V)
    assert (ours(ids) - gpt(ids)).abs().max() <= 1e-12


def test_with_the_defaults_it_is_the_papers_transformer():
    torch.manual_seed(1)
    plain = grown(Transformer(config()).double().eval())
    ours = copied(built(modern_transformer), plain)
    batch = symbols(S, SOURCE_VOCAB), symbols(T, V)
    assert (ours(*batch) - plain(*batch)).abs().max() <= 1e-12


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_changes_something(name):
    """Of the defaults' logits, or of what a model is made of."""
    plain, changed = built(LanguageModel), built(LanguageModel, **CHANGES[name])
    ids = symbols(T, V)
    assert not torch.allclose(plain(ids), changed(ids))


DESIGN = {
    "rms_norm": (True, False),
    "swiglu": (True, False),
    "bias": (True, False),
    "qk_norm": (True, False),
    "sink": (True, False),
    "heads": ("all", "grouped", "one"),
    "positions": ("sinusoidal", "learned", "rotary", "none"),
    "norm": ("pre", "post"),
    "n_experts": (1, 3),
}
HEADS = {"all": {}, "grouped": GROUPED, "one": {"n_key_heads": 1}}


def designs():
    for case in pairwise(DESIGN):
        name = "-".join(map(str, case.values()))
        heads = HEADS[case.pop("heads")]
        yield pytest.param({**case, **heads}, id=name)


CHECKS = (
    invariants.no_leak_from_the_future,
    invariants.padding_changes_nothing,
    invariants.rows_are_independent,
    invariants.cached_equals_full,
    invariants.no_dropout_means_none,
)
each_check = pytest.mark.parametrize(
    "check", CHECKS, ids=lambda check: check.__name__
)


@each_check
@pytest.mark.parametrize("design", list(designs()))
def test_a_language_model_keeps(check, design):
    check(language_model(FP64, **design))


# the Fourier transform of a state-space layer's convolution lets rounding errors leak
EXACT = [name for name in MIXERS if name != "state_space"]


@each_check
@pytest.mark.parametrize("name", EXACT)
def test_whatever_mixes_positions_keeps(check, name):
    check(language_model(FP64, **MIXERS[name]))


@each_check
@pytest.mark.parametrize("name", ["attention", "local", "linear"])
def test_a_mixer_alone_keeps(check, name):
    check(causal_mixer(FP64, **MIXERS[name]))


@pytest.mark.parametrize("check", CHECKS[1:], ids=lambda check: check.__name__)
def test_a_state_space_keeps(check):
    check(language_model(FP64, **MIXERS["state_space"]))


def test_of_the_future_a_state_space_sees_less_than_rounding_shows():
    subject = causal_mixer(FP64, **MIXERS["state_space"])
    x = subject.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(subject.run(x)[:, :3].sum(), x)
    assert gradient[:, 3:].abs().max() < 1e-15 < gradient[:, :3].abs().min()


@pytest.mark.parametrize("kind", [modern_target, modern_source])
@pytest.mark.parametrize("name", CHANGES)
def test_the_encoder_decoder_keeps(kind, name):
    subject = kind(FP64, **CHANGES[name])
    invariants.padding_changes_nothing(subject)
    invariants.hidden_content_changes_nothing(subject)
    if kind is modern_target:
        invariants.no_leak_from_the_future(subject)
        invariants.cached_equals_full(subject)


@pytest.mark.parametrize("name", ["sink", "grouped queries", "qk_norm"])
def test_fully_masked_rows_are_zero(name):
    invariants.fully_masked_rows_are_zero(modern_target(FP64, **CHANGES[name]))


@pytest.mark.parametrize("name", ["attention", "local", "linear", "experts"])
def test_dropout(name):
    invariants.dropout_is_off_in_eval(
        language_model(FP64, **MIXERS[name], dropout=0.5)
    )


@pytest.mark.parametrize("name", MIXERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_numbers_agree_with_wide_ones(name, dtype):
    wide = language_model(FP64, **MIXERS[name])
    wanted = wide.run(wide.x)
    narrow = copied(built(LanguageModel, dtype, **MIXERS[name]), wide.model)
    apart = (narrow(wide.x).double() - wanted).abs().max() / wanted.abs().max()
    assert apart <= 5 * invariants.TOLERANCE[dtype]


def test_two_thirds_of_the_width_keep_the_parameters():
    plain = built(LanguageModel, d_ff=48)
    gated = built(LanguageModel, d_ff=32, swiglu=True)
    matrices = [
        sum(p.numel() for p in model.parameters() if p.dim() == 2)
        for model in (plain, gated)
    ]
    assert matrices[0] == matrices[1]


def test_without_biases_there_is_none():
    for kind in (LanguageModel, modern_transformer):
        names = [name for name, _ in built(kind, bias=False).named_parameters()]
        assert not any("bias" in name for name in names)
        names = [name for name, _ in built(kind).named_parameters()]
        assert any("bias" in name for name in names)


@pytest.mark.parametrize(
    ("kind", "sublayers"), [(LanguageModel, [2]), (modern_transformer, [2, 3])]
)
def test_what_writes_to_the_residual_stream_starts_smaller(kind, sublayers):
    plain = dict(built(kind).named_parameters())
    scaled = dict(built(kind, scale_residuals=True).named_parameters())
    roots = [(n * SIZES["n_layers"]) ** 0.5 for n in sublayers]
    for name, parameter in plain.items():
        wanted = parameter
        if name.endswith(("output_projection.weight", "linear_2.weight")):
            wanted = parameter / roots[-1 if "decoder" in name else 0]
        assert torch.allclose(scaled[name], wanted, rtol=1e-6), name


def test_the_start():
    model = LanguageModel(config(**{**TODAY, "n_layers": 3}))
    invariants.no_two_layers_start_alike(model)
    loss = F.cross_entropy(
        model(symbols(T, V)).flatten(0, 1), symbols(T, V, seed=4).flatten()
    )
    assert abs(loss.item() - math.log(V)) < 2


# The parts, against layers that nobody here wrote


def test_rms_norm_is_torchs():
    x = vectors(T, FP64).requires_grad_()
    for eps in (1e-6, 1e-1):
        ours = grown(RMSNorm(x.size(-1), eps).double())
        theirs = nn.RMSNorm(x.size(-1), eps).double()
        theirs.load_state_dict(ours.state_dict())
        apart = ours(x) - theirs(x)
        assert apart.abs().max() <= 1e-12
        gradients = [
            torch.autograd.grad((y * noise(y)).sum(), (x, norm.weight))
            for y, norm in ((ours(x), ours), (theirs(x), theirs))
        ]
        for mine, wanted in zip(*gradients, strict=True):
            assert wanted.any() and (mine - wanted).abs().max() <= 1e-12


def test_rms_norm_of_16_bits_is_computed_in_32():
    x = 300 * vectors(T, torch.float16)  # whose squares leave the range of 16 bits
    norm = RMSNorm(x.size(-1)).half()
    wanted = F.rms_norm(x.double(), x.shape[-1:], eps=1e-6)
    assert norm(x).dtype == torch.float16
    assert (norm(x).double() - wanted).abs().max() < 2e-3


@pytest.mark.parametrize("bias", [True, False])
def test_swiglu_is_llamas(bias):
    ours = grown(SwiGLU(config()).double())
    for linear in (ours.gate, ours.linear_1, ours.linear_2):
        linear.bias = linear.bias if bias else None
    theirs = LlamaMLP(
        LlamaConfig(
            hidden_size=SIZES["d_model"],
            num_attention_heads=SIZES["n_heads"],
            intermediate_size=SIZES["d_ff"],
            mlp_bias=bias,
        )
    ).double()
    with torch.no_grad():
        for name, linear in (
            ("gate_proj", ours.gate),
            ("up_proj", ours.linear_1),
            ("down_proj", ours.linear_2),
        ):
            theirs.get_submodule(name).load_state_dict(linear.state_dict())
    x = vectors(T, FP64)
    assert (ours(x) - theirs(x)).abs().max() <= 1e-12


# Around the model: decoding, training, acceleration, files


@pytest.mark.parametrize("name", NAMED)
def test_decoding_is_the_same_with_and_without_a_cache(name):
    model = built(LanguageModel, **NAMED[name])
    prefix = symbols(3, V)
    slow = greedy_decode(model, None, prefix, 0, 13, cache=False)
    assert torch.equal(greedy_decode(model, None, prefix, 0, 13), slow)
    assert torch.equal(beam_search(model, None, prefix, 0, 13, beam=1), slow)
    drawn = [
        sample(
            model, None, prefix, 0, 13, generator=torch.Generator().manual_seed(1)
        )
        for _ in range(2)
    ]
    assert torch.equal(*drawn) and len(drawn[0]) == B


@pytest.mark.parametrize("name", ["attention", "local"])
def test_guesses_change_nothing(name):
    """Bad ones have to be forgotten, by a window too."""
    model = built(LanguageModel, **MIXERS[name])
    wanted = greedy_decode(model, None, [[3, 1]], 0, 17)
    right = wanted[0].tolist()
    drafts = {
        "bad": lambda ids: [1, 2, 3],
        "good, then bad": lambda ids: [*right[len(ids) : len(ids) + 2], 1, 2],
    }
    for name, draft in drafts.items():
        found = speculative_decode(model, None, [[3, 1]], 0, 17, draft)
        assert torch.equal(found, wanted), name


@pytest.mark.parametrize("name", ["linear", "state_space"])
def test_a_state_cannot_take_back_a_guess(name):
    model = built(LanguageModel, **MIXERS[name])
    with pytest.raises(TypeError, match="layers must keep keys and values, got a"):
        speculative_decode(model, None, [[3, 1]], 0, 17, lambda ids: [1, 2, 3])


@pytest.mark.parametrize("name", MIXERS)
def test_another_batch_is_refused(name):
    model, cache = built(LanguageModel, **MIXERS[name]), KeyValueCache()
    model.decode(symbols(T, V), cache=cache)
    with pytest.raises(ValueError, match="cache must hold the input's batch of 2"):
        model.decode(symbols(T, V)[:2], cache=cache)


@pytest.mark.parametrize("name", MIXERS)
def test_accelerated_it_is_the_same(name):
    model, ids = built(LanguageModel, **MIXERS[name]), symbols(T, V)
    twin = accelerate(model)
    for training in (True, False):
        model.train(training), twin.train(training)
        assert (twin(ids) - model(ids)).abs().max() <= 1e-12
    for (name, ours), (other, theirs) in zip(
        model.named_parameters(), twin.named_parameters(), strict=True
    ):
        assert name == other and ours is theirs


def test_accelerated_the_encoder_decoder_is_the_same():
    model = built(modern_transformer, **TODAY)
    source, target = symbols(S, SOURCE_VOCAB), symbols(T, V)
    source[1, 4:] = target[2, 3:] = 0
    apart = accelerate(model)(source, target) - model(source, target)
    assert apart[target != 0].abs().max() <= 1e-12


# the experts' positions can't be known before they are chosen
@pytest.mark.parametrize(
    "name", [n for n in MIXERS if "n_experts" not in MIXERS[n]]
)
def test_compiled_it_is_the_same(name):
    model, ids = built(LanguageModel, **MIXERS[name]), symbols(T, V)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert (compiled(ids) - model(ids)).abs().max() <= 1e-12


RECIPE = Preset(
    **{n: SIZES[n] for n in ("d_model", "n_heads", "n_layers", "d_ff", "dropout")},
    tokens=99,
    steps=30,
    learning_rate=0.01,
    warmup=3,
)


@pytest.mark.parametrize("name", NAMED)
def test_it_learns(name):
    """That a row repeats its first symbol."""
    torch.manual_seed(0)
    model = LanguageModel(config(**NAMED[name]))

    def draw(generator):
        ids = torch.randint(1, V, (11, 1), generator=generator).expand(-1, T + 1)
        return ids[:, :-1], ids[:, 1:]

    losses = train_drawn(model, draw, "one symbol a row", RECIPE)
    assert sum(losses[-5:]) / 5 < losses[0] / 2


def test_the_encoder_decoder_learns():
    torch.manual_seed(0)
    model = modern_transformer(config(**TODAY))
    pairs = [([i] * 5, [1, *[i] * 4, 2]) for i in range(3, 11)]
    losses = train(model, pairs, RECIPE)
    assert sum(losses[-5:]) / 5 < losses[0] / 2


def test_weights_are_stored_and_read(tmp_path):
    model = built(LanguageModel, torch.float32, **TODAY)
    save_weights(model, tmp_path, "today", {})
    again = load_weights(
        "today", lambda fields: LanguageModel(BlockConfig(**fields)), tmp_path
    )
    assert again.config == model.config
    assert (again(symbols(T, V)) - model(symbols(T, V))).abs().max() < 0.01


# What is refused

FAULTS = {
    "n_key_heads": (3, 0, 2.0, True, 6),
    "window": (0, -1, 2.5, True),
    "rotary_base": (0, -1.0, math.inf, math.nan, "10000", None),
    "d_attention": (7, 0, 2.0),
    "n_experts": (0, 1.5),
    "top_k": (0, 2),
    "balance": (-0.1, math.nan, "1"),
    "mixer": ("softmax", None),
    **{
        name: (1, None, "yes")
        for name in (
            "rms_norm",
            "swiglu",
            "bias",
            "qk_norm",
            "sink",
            "scale_residuals",
        )
    },
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(n, value) for n, values in FAULTS.items() for value in values],
)
def test_a_config_refuses(name, value):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must .*got"):
        config(**{name: value})


def test_rotary_positions_need_products_and_even_heads():
    for mixer in ("linear", "state_space"):
        with pytest.raises(ValueError, match=r"^positions must not be 'rotary'"):
            config(mixer=mixer, positions="rotary")
    with pytest.raises(ValueError, match=r"^d_attention must give heads of even"):
        config(positions="rotary", d_attention=5 * 7)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sink", {"mixer": "linear", "sink": True}),
        ("sink", {"mixer": "state_space", "sink": True}),
        ("qk_norm", {"mixer": "state_space", "qk_norm": True}),
        ("n_key_heads", {"mixer": "state_space", "n_key_heads": 1}),
        ("d_attention", {"mixer": "state_space", "d_attention": 60}),
        ("activation", {"swiglu": True, "activation": "gelu"}),
        ("positions", {"rotary_base": 500.0}),
    ],
)
def test_what_would_have_no_effect_is_refused(name, changes):
    with pytest.raises(ValueError, match=rf"^{name} must be .*got"):
        config(**changes)


@pytest.mark.parametrize("mixer", ["local", "linear", "state_space"])
def test_only_attention_stands_beside_a_source(mixer):
    for kind in (Transformer, Encoder):
        model = kind(config(mixer=mixer))
        model.config = config(mixer=mixer)
        with pytest.raises(
            ValueError, match=r"^config.mixer must be 'attention' in"
        ):
            modernise(model)


def test_another_width_of_the_heads_is_kept_when_the_config_changes():
    wide = config(d_attention=60)
    assert wide.d_head == 12 and config().d_head == 6
    assert dataclasses.replace(config(), d_model=60).d_head == 12
    assert dataclasses.replace(wide, d_model=60).d_head == 12
