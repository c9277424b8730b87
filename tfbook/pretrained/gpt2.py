"""GPT-2's published weights, moved into our GPT."""

import json

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from tfbook.model.config import TransformerConfig
from tfbook.model.gpt import GPT
from tfbook.weights.stored import file_in

OUR_NAMES = {
    "wte": "target_embedding.tokens",
    "wpe": "target_embedding.position_embedding",
    "h": "decoder.layers",
    "ln_f": "decoder.norm",
    "ln_1": "add_norm.0.norm",
    "ln_2": "add_norm.1.norm",
    "mlp.c_fc": "feed_forward.linear_1",
    "attn.c_proj": "self_attention.output_projection",
    "mlp.c_proj": "feed_forward.linear_2",
    "lm_head": "output",
}
TOKENS, OUTPUT = "target_embedding.tokens.weight", "output.weight"
ACTIVATIONS = {  # by the names that transformers knows them by
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "relu": "relu",
}
REQUIRED = {  # settings that change the function: the values that our GPT computes
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "quantization_config": None,
}
ALIASES = {  # further names by which transformers reads a setting
    "hidden_size": "n_embd",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
    "max_position_embeddings": "n_positions",
}
DTYPES = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def load_gpt2(folder):
    """The GPT (Radford et al. 2019) that a folder of `transformers` holds, in eval mode.

    folder: with config.json and model.safetensors, as `save_pretrained` writes them and
    as the model's page offers them. The GPT takes ids (B, T) and returns logits (B, T,
    V), by an output that is tied to the embedding unless the config says otherwise. Its
    pad is the pad or the end of text that the config names, if the vocabulary has it,
    and else 0; dropout is off. Raises FileNotFoundError for a missing file, ValueError
    for a file that can't be read, a setting that our GPT does not have, or weights that
    are not those its config describes.
    """
    files = [file_in(folder, name) for name in ("config.json", "model.safetensors")]
    try:
        settings = json.loads(files[0].read_text(encoding="utf-8"))
        weights = load_file(files[1])
    except (ValueError, SafetensorError) as error:
        raise ValueError(
            f"folder must hold a GPT-2 that can be read, got {error!r}"
        ) from error
    config = _config(settings)
    weights = _our_weights(weights, config.tie_embeddings)
    try:
        model = GPT(config).to(weights[TOKENS].dtype)
        model.load_state_dict(weights)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"folder must hold the weights of its config.json, got {reason:.200}"
        ) from error
    return model.eval()


def _config(settings):
    """What a config.json says, as a `TransformerConfig`. Its other settings say how to
    train, or belong to a task's head: they change no logit.
    """
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    if kind != "gpt2":
        raise ValueError(f"folder must hold a gpt2, got model_type {kind!r}")
    settings |= {
        ALIASES[name]: settings[name] for name in ALIASES if name in settings
    }
    for name, value in REQUIRED.items():
        if settings.get(name, value) != value:
            raise ValueError(
                f"folder must hold a GPT-2 with {name}={value}, got {settings[name]!r}"
            )
    activation = settings.get("activation_function", "gelu_new")
    if activation not in list(ACTIVATIONS):
        raise ValueError(
            "folder must hold a GPT-2 whose activation_function is one of "
            f"{list(ACTIVATIONS)}, got {activation!r}"
        )
    try:
        d_ff = settings.get("n_inner")
        return TransformerConfig(
            target_vocab=settings["vocab_size"],
            d_model=settings["n_embd"],
            n_heads=settings["n_head"],
            n_layers=settings["n_layer"],
            d_ff=4 * settings["n_embd"] if d_ff is None else d_ff,
            dropout=0.0,
            positions="learned",
            activation=ACTIVATIONS[activation],
            tie_embeddings=settings.get("tie_word_embeddings", True),
            norm_eps=settings.get("layer_norm_epsilon", 1e-5),
            max_length=settings["n_positions"],
            pad=_pad(settings),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"folder must hold a config.json that can be read, got {error!r}"
        ) from error


def _pad(settings):
    """The id that fills up finished rows: the config's pad, else its end of text, else 0.
    An id outside the vocabulary is passed over, since no embedding has it.
    """
    ends = settings.get("eos_token_id")
    ids = [
        settings.get("pad_token_id"),
        *(ends if isinstance(ends, list) else [ends]),
    ]
    known = range(settings["vocab_size"])
    return next((i for i in ids if type(i) is int and i in known), 0)


def _our_weights(theirs, tied):
    """Their weights by our names, in our layout. Raises ValueError unless all have one
    floating dtype, and when tied matrices differ.
    """
    weights = dict(_translate(theirs))
    dtypes = {weight.dtype for weight in weights.values()}
    if len(dtypes) != 1 or not dtypes <= DTYPES:
        raise ValueError(
            "folder must hold weights of one floating dtype, got "
            f"{sorted(map(str, dtypes))}"
        )
    if tied and TOKENS in weights:
        output = weights.setdefault(OUTPUT, weights[TOKENS])
        if not torch.equal(output, weights[TOKENS]):
            raise ValueError(
                "folder must hold one matrix as wte and lm_head, as its config.json says "
                f"by tie_word_embeddings={tied}, got two that differ"
            )
    return weights


def _translate(weights):
    """Pairs (our name, weight). GPT-2 keeps the matrices of a layer as (in, out), so they
    are transposed; `c_attn`, the projections of queries, keys and values side by side,
    is split.
    """
    for name, weight in weights.items():
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue  # the causal mask, which older files store
        name = f".{name.removeprefix('transformer.')}"
        for theirs, ours in OUR_NAMES.items():
            name = name.replace(f".{theirs}.", f".{ours}.")
        name = name[1:]
        if weight.dim() == 2 and name.startswith("decoder.layers."):
            weight = weight.T  # (out, in)
        layer, fused, kind = name.partition("attn.c_attn.")
        if fused:
            for part, rows in zip(
                ("query", "key", "value"), torch.chunk(weight, 3), strict=False
            ):
                yield f"{layer}self_attention.{part}_projection.{kind}", rows
        else:
            yield name, weight
