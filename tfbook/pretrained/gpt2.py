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
    "ln_f": "decoder.norm",
    "ln_1": "add_norm.0.norm",
    "ln_2": "add_norm.1.norm",
    "mlp.c_fc": "feed_forward.linear_1",
    "attn.c_proj": "self_attention.output_projection",
    "mlp.c_proj": "feed_forward.linear_2",
}
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu": "gelu", "relu": "relu"}
PLAIN = {  # what a GPT-2 may have otherwise, and ours has not
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
}


def load_gpt2(folder):
    """The GPT (Radford et al. 2019) that a folder of `transformers` holds, in eval mode.

    folder: with config.json and model.safetensors, as `save_pretrained` writes them and
    as the model's page offers them. The GPT takes ids (B, T) and returns logits (B, T,
    V). Its pad is the id that ends a text, and dropout is off. Raises
    FileNotFoundError for a missing file, ValueError for a file that can't be read, a
    model that is no GPT-2, or weights that are not those its config describes.
    """
    told, stored = (
        file_in(folder, "config.json"),
        file_in(folder, "model.safetensors"),
    )
    try:
        config = _config(json.loads(told.read_text(encoding="utf-8")))
        weights = load_file(stored)
    except (json.JSONDecodeError, KeyError, SafetensorError) as error:
        raise ValueError(
            f"folder must hold a GPT-2 that can be read, got {error!r}"
        ) from error
    model, weights = GPT(config), dict(_translated(weights))
    # tied to the embedding, and in some files under its own name too
    output = weights.pop("output.weight", None)
    weights["output.weight"] = weights.get("target_embedding.tokens.weight", output)
    try:
        model.to(weights["decoder.norm.weight"].dtype).load_state_dict(weights)
    except (RuntimeError, KeyError) as error:
        words = " ".join(str(error).split())
        raise ValueError(
            f"folder must hold the weights of its config.json, got {words:.200}"
        ) from error
    return model.eval()


def _config(told):
    if told.get("model_type") != "gpt2":
        raise ValueError(
            f"folder must hold a gpt2, got model_type {told.get('model_type')!r}"
        )
    for name, wanted in PLAIN.items():
        if told.get(name, wanted) != wanted:
            raise ValueError(
                f"folder must hold a GPT-2 with {name}={wanted}, got {told[name]!r}"
            )
    activation = told.get("activation_function", "gelu_new")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"folder must hold a GPT-2 with one of {list(ACTIVATIONS)}, got {activation!r}"
        )
    return TransformerConfig(
        target_vocab=told["vocab_size"],
        d_model=told["n_embd"],
        n_heads=told["n_head"],
        n_layers=told["n_layer"],
        d_ff=told.get("n_inner") or 4 * told["n_embd"],
        dropout=0.0,
        positions="learned",
        activation=ACTIVATIONS[activation],
        norm_eps=told.get("layer_norm_epsilon", 1e-5),
        max_length=told["n_positions"],
        pad=told.get("eos_token_id") or 0,
    )


def _translated(weights):
    """Each weight under our name: turned, since theirs stand (in, out), and those of
    queries, keys and values, side by side in `c_attn`, taken apart.
    """
    for name, weight in weights.items():
        name = name.removeprefix("transformer.")
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue  # the causal mask, which needs no storing
        if name.startswith("lm_head."):
            yield "output.weight", weight
            continue
        name = (
            name.replace("h.", "decoder.layers.", 1) if name[:2] == "h." else name
        )
        for theirs, ours in OUR_NAMES.items():
            name = name.replace(f"{theirs}.", f"{ours}.")
        if weight.dim() == 2 and "embedding" not in name:
            weight = weight.T  # (out, in)
        place, fused, kind = name.partition("attn.c_attn.")
        if fused:
            for part, rows in zip(
                ("query", "key", "value"), torch.chunk(weight, 3), strict=True
            ):
                yield f"{place}self_attention.{part}_projection.{kind}", rows
        else:
            yield name, weight
