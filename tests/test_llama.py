"""Llama's weights in our language model, against `transformers`: logits, gradients, what it
writes, from a model and from a folder.

`copied` moves the weights by name here, so that the loader is judged by something else.
"""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from subjects import SIZES, B, T, V
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.llama import modeling_llama
from transformers.models.qwen3 import modeling_qwen3

from tfbook import KeyValueCache, greedy_decode
from tfbook.pretrained import load_llama, load_llama_folder
from tfbook.variants import BlockConfig, LanguageModel

LONGEST, TOLERANCE = 29, 1e-8
HEADS, D_HEAD = 6, 10
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 101,
}
CASES = {
    "as it is": {},
    "grouped": {"num_key_value_heads": 2},
    "multi-query": {"num_key_value_heads": 1},
    "tied": {"tie_word_embeddings": True, "num_key_value_heads": 3},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "biases in attention": {"attention_bias": True, "num_key_value_heads": 2},
    "biases in between": {"mlp_bias": True},
    "wider heads": {"head_dim": 14, "num_key_value_heads": 2},
    "narrower heads": {"head_dim": 4},
    "larger base": {
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}
    },
    "linear": {
        "rope_parameters": {
            "rope_type": "linear",
            "rope_theta": 500.0,
            "factor": 4.0,
        }
    },
    "llama3": {"rope_parameters": LLAMA3, "num_key_value_heads": 2},
    "eps": {"rms_norm_eps": 0.1},
    "one layer": {"num_hidden_layers": 1},
}
RELATIVES = {
    "mistral": (MistralForCausalLM, MistralConfig, {"sliding_window": 5}),
    "mistral, no window": (
        MistralForCausalLM,
        MistralConfig,
        {"sliding_window": None},
    ),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {"head_dim": 14}),
}


def theirs(seed=0, kind=LlamaForCausalLM, config=LlamaConfig, **changes):
    """A random Llama whose every parameter matters, in float64."""
    torch.manual_seed(seed)
    settings = {
        "vocab_size": V,
        "hidden_size": HEADS * D_HEAD,
        "intermediate_size": SIZES["d_ff"],
        "num_hidden_layers": SIZES["n_layers"],
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": LONGEST,
        "pad_token_id": None,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    model = kind(config(**settings | changes)).double().eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.3)
    return model


def ids(seed=1, length=T, batch=B):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, V, (batch, length), generator=generator)


def difference(ours, reference, x):
    with torch.no_grad():
        return (ours(x) - reference(x).logits).abs().max().item()


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_llama(name):
    for seed in range(3):
        reference = theirs(seed, **CASES[name])
        ours = load_llama(reference)
        assert difference(ours, reference, ids(seed, LONGEST)) <= TOLERANCE
        assert not ours.training


@pytest.mark.parametrize("name", ["as it is", "grouped", "llama3"])
def test_eager_attention_rounds_its_softmax_too(name):
    reference = theirs(**CASES[name], attn_implementation="eager")
    assert (
        difference(load_llama(reference), reference, ids(1, LONGEST)) <= TOLERANCE
    )
    fused = theirs(**CASES[name])
    assert difference(load_llama(fused), reference, ids(1, LONGEST)) > TOLERANCE


@pytest.mark.parametrize("name", RELATIVES)
def test_logits_are_those_of_its_relatives(name):
    kind, config, changes = RELATIVES[name]
    reference = theirs(0, kind, config, num_key_value_heads=2, **changes)
    ours = load_llama(reference)
    # a norm of turned queries adds their squares up in another order, in 32 bits
    tolerance = 1e-5 if name == "qwen3" else TOLERANCE
    assert difference(ours, reference, ids(1, LONGEST)) <= tolerance
    prefix = ids(length=3)
    found = greedy_decode(ours, None, prefix, 0, 17)
    assert torch.equal(found, written(reference, prefix, 17))


def wide_norm(self, x):
    """RMSNorm without rounding to 32 bits, as a later `transformers` may compute it."""
    return F.rms_norm(x, x.shape[-1:], self.weight, self.variance_epsilon)


def test_qk_norm_is_qwens(monkeypatch):
    monkeypatch.setattr(modeling_qwen3.Qwen3RMSNorm, "forward", wide_norm)
    reference = theirs(0, *RELATIVES["qwen3"][:2], num_key_value_heads=2)
    assert difference(load_llama(reference), reference, ids()) <= TOLERANCE


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_llama(name):
    """Of all parameters together, since a turned matrix has its rows in another order."""
    reference, x = theirs(**CASES[name]), ids()
    ours = load_llama(reference)
    sums = []
    for model, logits in ((ours, ours(x)), (reference, reference(x).logits)):
        F.cross_entropy(logits[:, :-1].flatten(0, 1), x[:, 1:].flatten()).backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        sums.append([g.abs().sum().item() for g in gradients if g.any()])
    zero_biases = len(sums[0]) - len(sums[1])  # where theirs has none
    assert zero_biases >= 0
    if not zero_biases:
        for mine, wanted in zip(sorted(sums[0]), sorted(sums[1]), strict=True):
            assert mine == pytest.approx(wanted, rel=1e-5)


def written(reference, prefix, n):
    """What theirs writes, greedily."""
    new = reference.generate(
        prefix,
        attention_mask=torch.ones_like(prefix),
        max_new_tokens=n,
        do_sample=False,
        pad_token_id=0,
    )
    return new[:, prefix.size(1) :]


@pytest.mark.parametrize("name", CASES)
def test_it_writes_what_llama_writes(name):
    reference, prefix = theirs(4, **CASES[name]), ids(length=3)
    ours, wanted = load_llama(reference), written(reference, prefix, 17)
    for cache in (True, False):
        found = greedy_decode(ours, None, prefix, 0, 17, cache=cache)
        assert torch.equal(found, wanted)
    assert len(set(wanted.flatten().tolist())) > 2, "it repeats one id"


@pytest.mark.parametrize("name", ["grouped", "llama3"])
def test_the_cache_changes_nothing(name):
    reference, x = theirs(**CASES[name]), ids(length=LONGEST)
    ours, cache = load_llama(reference), KeyValueCache()
    pieces = [ours.decode(part, cache=cache) for part in x.split((5, 1, 1, 22), 1)]
    apart = torch.cat(pieces, dim=1) - reference(x).logits
    assert apart.abs().max() <= TOLERANCE
    assert {kept.shape[1] for kept in cache.tensors()} == {2}


OURS = {
    "input_layernorm": "add_norm.0.norm",
    "post_attention_layernorm": "add_norm.1.norm",
    "self_attn.v_proj": "self_attention.value_projection",
    "self_attn.o_proj": "self_attention.output_projection",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.linear_1",
    "mlp.down_proj": "feed_forward.linear_2",
}


def copied(reference):
    """Our model with their weights, moved here: without rounding to 32 bits anywhere."""
    model = LanguageModel(
        BlockConfig(
            target_vocab=V,
            d_model=HEADS * D_HEAD,
            n_heads=HEADS,
            n_layers=SIZES["n_layers"],
            d_ff=SIZES["d_ff"],
            dropout=0.0,
            positions="rotary",
            tie_embeddings=False,
            norm_eps=1e-6,
            max_length=LONGEST,
            rms_norm=True,
            swiglu=True,
            bias=False,
            n_key_heads=2,
        )
    ).double()
    pairs = {
        "target_embedding.tokens": reference.model.embed_tokens,
        "decoder.norm": reference.model.norm,
        "output": reference.lm_head,
    }
    for i, layer in enumerate(reference.model.layers):
        for name, ours in OURS.items():
            pairs[f"decoder.layers.{i}.{ours}"] = layer.get_submodule(name)
    with torch.no_grad():
        for name, module in pairs.items():
            model.get_parameter(f"{name}.weight").copy_(module.weight)
        for layer, other in zip(
            model.decoder.layers, reference.model.layers, strict=True
        ):
            for part, projection in (
                (layer.self_attention.query_projection, other.self_attn.q_proj),
                (layer.self_attention.key_projection, other.self_attn.k_proj),
            ):
                for row in range(len(part.weight)):
                    head, i = divmod(row, D_HEAD)
                    theirs = head * D_HEAD + i // 2 + (i % 2) * D_HEAD // 2
                    part.weight[row] = projection.weight[theirs]
    return model.eval()


def test_a_copy_by_hand_agrees_up_to_the_32_bits_of_transformers():
    reference, x = theirs(num_key_value_heads=2), ids()
    assert 1e-8 < difference(copied(reference), reference, x) < 1e-4


def test_where_theirs_does_not_round_ours_does_not_either(monkeypatch):
    """Whether in both, or in the norms alone."""

    def wide_angles(self, x, position_ids):
        base, pairs = (
            self.config.rope_parameters["rope_theta"],
            torch.arange(D_HEAD // 2),
        )
        angles = position_ids[..., None] * base ** (-2 * pairs.double() / D_HEAD)
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    monkeypatch.setattr(modeling_llama.LlamaRMSNorm, "forward", wide_norm)
    reference, x = theirs(num_key_value_heads=2), ids()
    assert difference(load_llama(reference), reference, x) <= 1e-12
    monkeypatch.setattr(modeling_llama.LlamaRotaryEmbedding, "forward", wide_angles)
    assert difference(load_llama(reference), reference, x) <= 1e-12
    assert difference(copied(reference), reference, x) <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_keeps_dtype_and_mode(dtype):
    reference = theirs(num_key_value_heads=2).to(dtype).train()
    ours = load_llama(reference)
    assert ours.training and {p.dtype for p in ours.parameters()} == {dtype}
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    scale = reference(ids()).logits.abs().max().item()
    assert difference(ours, reference, ids()) <= tolerance * scale


def test_it_is_a_copy():
    reference, x = theirs(), ids()
    ours = load_llama(reference)
    before = ours(x)
    with torch.no_grad():
        for p in reference.parameters():
            p.zero_()
    assert torch.equal(ours(x), before)


@pytest.mark.parametrize("tied", [True, False])
def test_a_tied_output_stays_tied(tied):
    ours = load_llama(theirs(tie_word_embeddings=tied))
    same = ours.output.weight is ours.target_embedding.tokens.weight
    assert same == tied == ours.config.tie_embeddings


def test_the_pad_is_an_id_that_there_is():
    for pad, end, ours in ((3, 5, 3), (None, 5, 5), (V, [V, 7], 7), (-1, None, 0)):
        reference = theirs()
        reference.config.pad_token_id = pad
        reference.config.eos_token_id = end
        assert load_llama(reference).config.pad == ours


# From a folder


@pytest.fixture
def folder(tmp_path):
    theirs(num_key_value_heads=2).save_pretrained(tmp_path)
    return tmp_path


def change(folder, **settings):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


@pytest.mark.parametrize("name", CASES)
def test_a_folder_gives_what_its_model_gives(name, tmp_path):
    reference, x = theirs(2, **CASES[name]), ids()
    reference.save_pretrained(tmp_path)
    ours = load_llama_folder(tmp_path)
    assert difference(ours, reference, x) <= TOLERANCE
    assert not ours.training


@pytest.mark.parametrize("name", RELATIVES)
def test_a_folder_of_its_relatives(name, tmp_path):
    kind, config, changes = RELATIVES[name]
    reference = theirs(2, kind, config, num_key_value_heads=2, **changes)
    reference.save_pretrained(tmp_path)
    tolerance = 1e-5 if name == "qwen3" else TOLERANCE
    assert difference(load_llama_folder(tmp_path), reference, ids()) <= tolerance
    file = tmp_path / "config.json"
    settings = json.loads(file.read_text())
    del settings["num_key_value_heads"]
    file.write_text(json.dumps(settings))
    with pytest.raises(
        ValueError, match=r"^folder must name the num_key_value_heads"
    ):
        load_llama_folder(tmp_path)


def test_a_bias_that_the_config_promises_is_missed(tmp_path):
    theirs(attention_bias=True).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    del weights["model.layers.1.self_attn.o_proj.bias"]
    save_file(weights, file)
    with pytest.raises(ValueError, match=r"^folder must hold the weights that its"):
        load_llama_folder(tmp_path)


def test_loading_draws_no_random_number():
    reference = theirs()
    before = torch.get_rng_state()
    load_llama(reference)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_folder_of_several_files(tmp_path):
    reference = theirs(num_key_value_heads=2)
    reference.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert difference(load_llama_folder(tmp_path), reference, ids()) <= TOLERANCE
    next(tmp_path.glob("*.safetensors")).unlink()
    with pytest.raises(
        FileNotFoundError, match=r"^folder must hold model-0.* not found"
    ):
        load_llama_folder(tmp_path)


def test_an_older_config(folder):
    """As published with Llama 1 to 3.1, when rope_parameters had other names."""
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    rope = settings.pop("rope_parameters")
    for old, new in (
        ({}, rope),
        ({"rope_theta": 500.0}, {**rope, "rope_theta": 500.0}),
        (
            {
                "rope_theta": 500.0,
                "rope_scaling": {"type": "linear", "factor": 4.0},
            },
            {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0},
        ),
        (
            {
                "rope_theta": 500.0,
                "rope_scaling": {
                    k: v for k, v in LLAMA3.items() if k != "rope_theta"
                },
            },
            LLAMA3,
        ),
        ({"rope_scaling": None}, rope),
    ):
        file.write_text(json.dumps(settings | old))
        reference = theirs(num_key_value_heads=2, rope_parameters=new)
        assert difference(load_llama_folder(folder), reference, ids()) <= TOLERANCE


def test_frequencies_in_an_older_file_are_left_out(folder):
    file = folder / "model.safetensors"
    before = load_llama_folder(folder)(ids())
    extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(5)}
    save_file(load_file(file) | extra, file)
    assert torch.equal(load_llama_folder(folder)(ids()), before)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_without_weights_or_config(folder, name):
    (folder / name).unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"^folder must hold {name}, not found"
    ):
        load_llama_folder(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", '{"model_type": "llama"}'),
        ("model.safetensors", "nothing"),
        ("model.safetensors.index.json", "{"),
        ("model.safetensors.index.json", "{}"),
        ("model.safetensors.index.json", "[1]"),
        ("model.safetensors.index.json", '{"weight_map": 3}'),
    ],
)
def test_a_file_that_cannot_be_read(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=r"^folder must .*got "):
        load_llama_folder(folder)


SETTINGS = {
    "model_type": ["gpt2", "gemma", None],
    "hidden_act": ["gelu", None],
    "quantization_config": [{"bits": 4}],
    "hidden_size": ["wide"],
    "num_attention_heads": [0, 7],
    "num_key_value_heads": [4],
    "intermediate_size": [24],
    "num_hidden_layers": [1, 3],
    "vocab_size": [V + 1],
    "rope_parameters": [
        {"rope_type": kind, "rope_theta": 500.0, "factor": 2.0}
        for kind in ("yarn", "dynamic", "longrope", "proportional", "new")
    ]
    + [
        {"rope_type": "default", "rope_theta": -1.0},
        {"rope_type": "linear", "rope_theta": 500.0},
        {"rope_type": "linear", "rope_theta": 500.0, "factor": 0},
        {"rope_theta": 500.0, "partial_rotary_factor": 0.5},
        LLAMA3 | {"high_freq_factor": 0.5},
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in SETTINGS.items() for v in values]
)
def test_a_setting_that_ours_does_not_have_is_refused_by_name(folder, name, value):
    change(folder, **{name: value})
    with pytest.raises((ValueError, TypeError), match=r"^folder must .*got "):
        load_llama_folder(folder)


def test_a_rope_type_is_named(folder):
    change(folder, rope_parameters={"rope_type": "yarn", "factor": 2.0})
    with pytest.raises(
        ValueError,
        match=r"^folder must have a rope_type of 'default', .* got 'yarn'$",
    ):
        load_llama_folder(folder)
    reference = theirs()
    reference.config.rope_parameters["rope_type"] = "yarn"
    with pytest.raises(
        ValueError, match=r"^reference must have a rope_type .*'yarn'"
    ):
        load_llama(reference)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda weights: weights.popitem(),
        lambda weights: weights.pop("model.embed_tokens.weight"),
        lambda weights: weights.update(other=torch.ones(3)),
        lambda weights: weights.update(
            {"model.norm.weight": torch.ones(59).double()}
        ),
        lambda weights: weights.update(
            {"model.norm.weight": torch.ones(60).half()}
        ),
        lambda weights: weights.update({"model.norm.weight": torch.ones(60).int()}),
    ],
)
def test_weights_that_are_not_those_of_the_config(folder, spoil):
    file = folder / "model.safetensors"
    weights = load_file(file)
    spoil(weights)
    save_file(weights, file)
    with pytest.raises(ValueError, match=r"^folder must hold .*weights.*got "):
        load_llama_folder(folder)


def test_a_tied_output_that_differs(folder):
    change(folder, tie_word_embeddings=True)
    with pytest.raises(
        ValueError, match=r"^folder must hold one matrix as embed_tok"
    ):
        load_llama_folder(folder)


def test_anything_else_is_refused():
    settings = {"vocab_size": V, "hidden_size": 12, "num_attention_heads": 2}
    tiny = LlamaConfig(**settings, intermediate_size=3, num_hidden_layers=1)
    gpt2 = GPT2Config(vocab_size=V, n_embd=12, n_head=2, n_layer=1)
    for reference in (None, "llama", torch.nn.Linear(2, 3), LlamaModel(tiny)):
        with pytest.raises(
            TypeError, match=r"^reference must be a LlamaForCausalLM"
        ):
            load_llama(reference)
    with pytest.raises(TypeError, match=r"got GPT2LMHeadModel$"):
        load_llama(GPT2LMHeadModel(gpt2))
