"""The GPT against `transformers`' GPT-2, weights copied by name here, in float64: logits,
gradients, what it writes; and the loader of GPT-2's files, judged by the same copy.
"""

import json

import pytest
import torch
import torch.nn.functional as F
from invariants import assert_same
from safetensors.torch import load_file, save_file
from subjects import SIZES, B, H, T, V
from transformers import GPT2Config, GPT2LMHeadModel

from tfbook import TransformerConfig, greedy_decode
from tfbook.model.cache import KeyValueCache
from tfbook.model.gpt import GPT
from tfbook.pretrained.gpt2 import load_gpt2

LONGEST, TOLERANCE = 19, 1e-8
OURS = {
    "ln_1": "add_norm.0.norm",
    "attn.c_proj": "self_attention.output_projection",
    "ln_2": "add_norm.1.norm",
    "mlp.c_fc": "feed_forward.linear_1",
    "mlp.c_proj": "feed_forward.linear_2",
}


def theirs(seed=0, **changes):
    """A random GPT-2 whose every parameter matters."""
    torch.manual_seed(seed)
    settings = {
        "vocab_size": V,
        "n_positions": LONGEST,
        "n_embd": SIZES["d_model"],
        "n_head": H,
        "n_layer": SIZES["n_layers"],
        "n_inner": SIZES["d_ff"],
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "layer_norm_epsilon": 1e-3,
    }
    model = GPT2LMHeadModel(GPT2Config(**settings | changes)).double().eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    # else one id, that the last bias likes, would be the answer to everything
    torch.nn.init.normal_(model.transformer.ln_f.weight, mean=3.0)
    torch.nn.init.normal_(model.transformer.wpe.weight, std=2.0)
    return model


def config(**changes):
    return TransformerConfig(
        target_vocab=V,
        **{
            **SIZES,
            "positions": "learned",
            "activation": "gelu_tanh",
            "max_length": LONGEST,
            "norm_eps": 1e-3,
            **changes,
        },
    )


def named(reference):
    """Their tensors under our names, in our layout: a function of a GPT-2, so that weights and
    gradients are moved alike.
    """
    yield "target_embedding.tokens.weight", lambda m: m.transformer.wte.weight
    yield (
        "target_embedding.position_embedding.weight",
        lambda m: m.transformer.wpe.weight,
    )
    if not reference.config.tie_word_embeddings:
        yield "output.weight", lambda m: m.lm_head.weight
    for kind in ("weight", "bias"):
        yield (
            f"decoder.norm.{kind}",
            lambda m, k=kind: getattr(m.transformer.ln_f, k),
        )
        for i in range(len(reference.transformer.h)):
            for name, ours in OURS.items():
                yield (
                    f"decoder.layers.{i}.{ours}.{kind}",
                    lambda m, i=i, n=name, k=kind: m.transformer.h[i].get_parameter(
                        f"{n}.{k}"
                    ),
                )
            for j, part in enumerate(("query", "key", "value")):
                yield (
                    f"decoder.layers.{i}.self_attention.{part}_projection.{kind}",
                    (
                        lambda m, i=i, j=j, k=kind: (
                            m.transformer.h[i].get_parameter(f"attn.c_attn.{k}"),
                            j,
                        )
                    ),
                )


def our_layout(name, tensor, j=None):
    """Conv1D keeps (in, out), and c_attn query, key and value side by side."""
    width = SIZES["d_model"]
    if j is not None:
        tensor = tensor[..., j * width : (j + 1) * width]
    matrix = tensor.dim() == 2 and name.startswith("decoder.layers.")
    return tensor.T if matrix else tensor  # (out, in)


def copied(reference, **changes):
    """Our GPT with their weights."""
    model = GPT(config(**changes)).double().eval()
    left = {name for name, _ in model.named_parameters()}
    with torch.no_grad():
        for name, find in named(reference):
            found = find(reference)
            tensor, j = found if isinstance(found, tuple) else (found, None)
            model.get_parameter(name).copy_(our_layout(name, tensor, j))
            left.remove(name)
    assert left == set(), "a parameter has no counterpart"
    return model


def ids(seed=1, length=T):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, V, (B, length), generator=generator)


@pytest.mark.parametrize("seed", range(3))
def test_logits_are_those_of_gpt2(seed):
    reference = theirs(seed)
    x = ids(seed)
    difference = copied(reference)(x) - reference(x).logits
    assert difference.abs().max() <= TOLERANCE


@pytest.mark.parametrize(
    ("theirs_says", "ours_says"), [("gelu", "gelu"), ("relu", "relu")]
)
def test_other_activations(theirs_says, ours_says):
    reference = theirs(activation_function=theirs_says)
    ours = copied(reference, activation=ours_says)
    assert (ours(ids()) - reference(ids()).logits).abs().max() <= TOLERANCE
    wrong = copied(reference)
    assert (wrong(ids()) - reference(ids()).logits).abs().max() > TOLERANCE


def test_gradients_are_those_of_gpt2():
    reference, x = theirs(), ids()
    ours = copied(reference)
    for logits in (ours(x[:, :-1]), reference(x[:, :-1]).logits):
        F.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()).backward()
    for name, find in named(reference):
        found = find(reference)
        tensor, j = found if isinstance(found, tuple) else (found, None)
        wanted = our_layout(name, tensor.grad, j)
        assert wanted.abs().max() > 0
        assert (ours.get_parameter(name).grad - wanted).abs().max() <= TOLERANCE


@pytest.mark.parametrize("seed", [0, 4])
def test_it_writes_what_gpt2_writes(seed):
    """Greedily, with and without a cache."""
    reference, prefix = theirs(seed), ids(length=3)
    ours = copied(reference)
    wanted = reference.generate(
        prefix,
        attention_mask=torch.ones_like(prefix),
        max_new_tokens=11,
        do_sample=False,
        pad_token_id=0,
    )[:, 3:]
    for cache in (True, False):
        found = greedy_decode(ours, None, prefix, 0, 11, cache=cache)
        assert torch.equal(found, wanted)
    assert len(set(wanted.flatten().tolist())) > 2, "it repeats one id"


def test_the_cache_changes_nothing():
    model, x = copied(theirs()), ids(length=LONGEST)
    whole, cache = model(x), KeyValueCache()
    pieces = [
        model.decode(piece, cache=cache) for piece in x.split((5, 1, 1, 12), dim=1)
    ]
    assert_same(torch.cat(pieces, dim=1), whole, "the cache changes the logits")


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
def test_no_position_sees_a_later_one(positions):
    torch.manual_seed(3)
    model, x = GPT(config(positions=positions)).double().eval(), ids()
    before = model(x)
    for t in range(1, T):
        other = x.clone()
        other[:, t:] = other[:, t:] % (V - 1) + 1
        after = model(other)
        assert_same(after[:, :t], before[:, :t], "a later id is seen")
        assert (after[:, t:] - before[:, t:]).abs().amax(-1).min() > 1e-6


def test_what_fills_a_row_up_changes_nothing():
    model, x = copied(theirs()), ids()
    filled = torch.cat((x, torch.zeros(B, 3, dtype=torch.long)), dim=1)
    assert_same(model(filled)[:, :T], model(x), "filling up changes the logits")


def test_bad_input():
    with pytest.raises(ValueError, match=r"config.target_vocab .*got None"):
        GPT(TransformerConfig(**SIZES))
    model = GPT(config())
    with pytest.raises(ValueError, match=r"target must lie in the vocabulary.*13"):
        model(torch.full((B, T), V))
    with pytest.raises(
        ValueError, match=r"target must end by max_length=19, got 20"
    ):
        model(ids(length=LONGEST + 1))
    with pytest.raises(
        TypeError, match=r"target must be int64 or int32, got .*float"
    ):
        model(ids().float())
    with pytest.raises(ValueError, match="memory must be None"):
        model.decode(ids(), memory=torch.ones(B, T, SIZES["d_model"]))


@pytest.mark.parametrize("tied", [True, False])
def test_output_is_tied_on_request(tied):
    model = GPT(config(tie_embeddings=tied))
    shared = model.output.weight is model.target_embedding.tokens.weight
    assert shared == tied


@pytest.fixture
def folder(tmp_path):
    theirs().save_pretrained(tmp_path)
    return tmp_path


def rewrite(folder, change):
    """Change the weights' names or values in the file."""
    path = folder / "model.safetensors"
    weights = change({n: w.clone() for n, w in load_file(path).items()})
    save_file(weights, path)


def reconfigure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def same_as_copied(folder, reference=None, **changes):
    wanted = copied(reference or theirs(), **changes)
    loaded = load_gpt2(folder)
    assert loaded.config == wanted.config
    assert not loaded.training and loaded(ids()).dtype == torch.float64
    assert_same(loaded(ids()), wanted(ids()), "the loader changes the logits")
    for name, p in wanted.named_parameters():
        assert torch.equal(loaded.get_parameter(name), p)


def test_loader_takes_what_save_pretrained_writes(folder):
    same_as_copied(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {n.removeprefix("transformer."): x for n, x in w.items()},
        lambda w: w | {"transformer.h.0.attn.bias": torch.ones(1, 1, 19, 19)},
        lambda w: w | {"transformer.h.1.attn.masked_bias": torch.tensor(-1e4)},
        lambda w: w | {"lm_head.weight": w["transformer.wte.weight"].clone()},
    ],
    ids=["no prefix", "mask", "masked_bias", "output too"],
)
def test_loader_takes_older_files(change, folder):
    rewrite(folder, change)
    same_as_copied(folder)


LOADED = [  # each setting of a GPT2Config, changed, and the pad that ours then has
    ("vocab_size", 17, 0),
    ("n_positions", 23, 0),
    ("n_embd", 50, 0),
    ("n_layer", 3, 0),
    ("n_head", 3, 0),
    ("n_inner", 31, 0),
    ("n_inner", None, 0),
    ("activation_function", "gelu_new", 0),
    ("activation_function", "gelu_pytorch_tanh", 0),
    ("activation_function", "gelu", 0),
    ("activation_function", "gelu_python", 0),
    ("activation_function", "relu", 0),
    ("resid_pdrop", 0.3, 0),
    ("embd_pdrop", 0.3, 0),
    ("attn_pdrop", 0.3, 0),
    ("layer_norm_epsilon", 0.5, 0),
    ("initializer_range", 0.5, 0),
    ("summary_type", "first", 0),
    ("summary_use_proj", False, 0),
    ("summary_activation", "tanh", 0),
    ("summary_proj_to_labels", False, 0),
    ("summary_first_dropout", 0.5, 0),
    ("use_cache", False, 0),
    ("bos_token_id", None, 0),
    ("bos_token_id", 50256, 0),
    ("eos_token_id", 5, 5),
    ("eos_token_id", [4, 5], 4),
    ("eos_token_id", None, 0),
    ("eos_token_id", 50256, 0),
    ("eos_token_id", -1, 0),
    ("pad_token_id", 7, 7),
    ("pad_token_id", 50257, 0),
    ("reorder_and_upcast_attn", True, 0),
    ("tie_word_embeddings", False, 0),
]
REFUSED = [
    ("activation_function", "silu"),
    ("activation_function", "quick_gelu"),
    ("scale_attn_weights", False),
    ("scale_attn_by_inverse_layer_idx", True),
    ("add_cross_attention", True),
]


@pytest.mark.parametrize(("setting", "value", "pad"), LOADED)
def test_loader_heeds_each_setting(setting, value, pad, tmp_path):
    reference, x = theirs(**{setting: value}), ids()
    reference.save_pretrained(tmp_path)
    ours = load_gpt2(tmp_path)
    assert (ours(x) - reference(x).logits).abs().max() <= TOLERANCE
    assert ours.config.pad == pad


@pytest.mark.parametrize(("setting", "value"), REFUSED)
def test_loader_refuses_by_name(setting, value, tmp_path):
    theirs(**{setting: value}).save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=f"folder must hold .*{setting}.*got.*{value}"
    ):
        load_gpt2(tmp_path)


def test_no_setting_of_theirs_is_forgotten():
    known = {setting for setting, *_ in LOADED + REFUSED}
    assert known == GPT2Config.__annotations__.keys()


def test_loader_of_an_output_of_its_own(tmp_path):
    reference = theirs(tie_word_embeddings=False)
    reference.save_pretrained(tmp_path)
    same_as_copied(tmp_path, reference, tie_embeddings=False)
    reconfigure(tmp_path, tie_word_embeddings=True)
    with pytest.raises(ValueError, match="tie_word_embeddings=True, got two"):
        load_gpt2(tmp_path)
    reconfigure(tmp_path, tie_word_embeddings=False)
    rewrite(tmp_path, lambda w: {n: x for n, x in w.items() if "lm_head" not in n})
    with pytest.raises(ValueError, match=r"got .*Missing key.*output\.weight"):
        load_gpt2(tmp_path)


def test_loader_reads_a_setting_by_its_other_name(folder):
    """As transformers does, which prefers it where a config holds both."""
    reconfigure(folder, num_attention_heads=3)
    theirs_too, x = GPT2LMHeadModel.from_pretrained(folder), ids()
    assert theirs_too.config.n_head == 3
    logits = theirs_too.double().eval()(x).logits
    assert (load_gpt2(folder)(x) - logits).abs().max() <= TOLERANCE


def test_loader_of_16_bits(folder):
    rewrite(folder, lambda w: {n: x.half() for n, x in w.items()})
    model = load_gpt2(folder)
    assert {p.dtype for p in model.parameters()} == {torch.float16}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_loader_misses_a_file(name, folder):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"folder must hold {name}"):
        load_gpt2(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "llama"}, "a gpt2, got model_type 'llama'"),
        ({"activation_function": ["relu"]}, r"got \['relu'\]"),
        ({"quantization_config": {"bits": 8}}, "quantization_config=None, got"),
        ({"n_head": 4}, "read, got .*divisible by n_heads"),
        ({"n_head": "5"}, "read, got .*n_heads must be an int"),
        ({"vocab_size": None}, "read, got TypeError"),
        ({"tie_word_embeddings": None}, "read, got .*tie_embeddings must be"),
        ({"n_inner": 0}, "read, got .*d_ff must be at least 1"),
        ({"n_inner": 22}, "weights of its config.json, got .*size mismatch"),
        ({"n_layer": 3}, "weights of its config.json, got .*layers.2"),
        ({"n_embd": 35}, "weights of its config.json, got .*size mismatch"),
    ],
)
def test_loader_refuses(changes, words, folder):
    reconfigure(folder, **changes)
    with pytest.raises(ValueError, match=f"folder must hold.*{words}"):
        load_gpt2(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_loader_refuses_what_it_cannot_read(name, folder):
    (folder / name).write_bytes(b"{")
    with pytest.raises(ValueError, match=r"folder must hold .* read, got"):
        load_gpt2(folder)


@pytest.mark.parametrize("content", ["[]", "3", "null", '"gpt2"', "{}"])
def test_loader_refuses_a_config_of_another_kind(content, folder):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match="folder must hold a gpt2, got model_type"):
        load_gpt2(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {n: (9 * x).to(torch.int8) for n, x in w.items()},
        lambda w: w | {"lm_head.weight": w["transformer.wte.weight"].half()},
        lambda w: {},
    ],
    ids=["whole numbers", "two dtypes", "none"],
)
def test_loader_refuses_weights_of_other_dtypes(change, folder):
    rewrite(folder, change)
    with pytest.raises(ValueError, match=r"one floating dtype, got \["):
        load_gpt2(folder)


def test_loader_refuses_a_config_without_sizes(folder):
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match=r"can be read, got KeyError.*vocab_size"):
        load_gpt2(folder)


def test_loader_refuses_a_weight_missing_or_more(folder):
    rewrite(folder, lambda w: {n: x for n, x in w.items() if "wpe" not in n})
    with pytest.raises(ValueError, match=r"got .*position_embedding"):
        load_gpt2(folder)
    theirs().save_pretrained(folder)
    rewrite(
        folder,
        lambda w: w | {"transformer.h.0.attn.c_attn.bias": torch.ones(1).double()},
    )
    with pytest.raises(ValueError, match=r"got .*key_projection"):
        load_gpt2(folder)
    theirs().save_pretrained(folder)
    rewrite(folder, lambda w: w | {"transformer.extra": torch.ones(2).double()})
    with pytest.raises(ValueError, match=r"got .*extra"):
        load_gpt2(folder)
