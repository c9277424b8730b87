"""Llama's weights, and those of the models that are built as it is, moved into our
`LanguageModel`.
"""

import json
import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tfbook.pretrained.gpt2 import DTYPES
from tfbook.pretrained.installed import rename
from tfbook.variants.block import LanguageModel
from tfbook.variants.config import BlockConfig
from tfbook.variants.layers import RMSNorm
from tfbook.variants.rotary import Rotary, interpolated, interpolated_by_wavelength
from tfbook.weights.stored import file_in

OUR_NAMES = {
    "model.embed_tokens.": "target_embedding.tokens.",
    "model.layers.": "decoder.layers.",
    "model.norm.": "decoder.norm.",
    "lm_head.": "output.",
    "input_layernorm": "add_norm.0.norm",
    "post_attention_layernorm": "add_norm.1.norm",
    "self_attn.q_proj": "self_attention.query_projection",
    "self_attn.k_proj": "self_attention.key_projection",
    "self_attn.v_proj": "self_attention.value_projection",
    "self_attn.o_proj": "self_attention.output_projection",
    "self_attn.q_norm": "self_attention.query_norm",
    "self_attn.k_norm": "self_attention.key_norm",
    "mlp.gate_proj": "feed_forward.gate",
    "mlp.up_proj": "feed_forward.linear_1",
    "mlp.down_proj": "feed_forward.linear_2",
}
TURNED = {"query_projection", "key_projection", "query_norm", "key_norm"}
TOKENS, OUTPUT = "target_embedding.tokens.weight", "output.weight"
FAMILY = ("llama", "mistral", "qwen2", "qwen3")
REQUIRED = {  # settings that change the function: the values that we compute
    "hidden_act": ("silu", "swish"),
    "quantization_config": (None,),
    "use_sliding_window": (False, None),
    "rope_type": ("default", "linear", "llama3"),
    "partial_rotary_factor": (1.0,),
}
INDEX = "model.safetensors.index.json"
NAMED = {  # settings without which each would mean something else than a Llama's default
    "mistral": ("num_key_value_heads", "sliding_window"),
    "qwen2": ("num_key_value_heads",),
    "qwen3": ("num_key_value_heads", "head_dim"),
}
# what bad JSON leads to
UNREADABLE = ValueError, KeyError, TypeError, AttributeError


def load_llama(reference) -> LanguageModel:
    r"""A `LanguageModel` that computes what a `transformers.LlamaForCausalLM` computes, from
    copies of its weights (Touvron et al. 2023).

    reference: as it is, with grouped queries or not, tied or not, with biases or not; or one of
    its like, `MistralForCausalLM`, `Qwen2ForCausalLM`, `Qwen3ForCausalLM`. The result takes ids
    (B, T) and returns logits (B, T, V), in the reference's dtype, on its device and in its mode,
    without dropout. Raises TypeError for anything else, ValueError for a setting that our model
    does not have, such as a rope type that is not "default", "linear" or "llama3".
    """
    kind = type(reference).__name__
    if not (isinstance(reference, nn.Module) and kind.endswith("ForCausalLM")):
        raise TypeError(f"reference must be a LlamaForCausalLM, got {kind}")
    settings = reference.config.to_dict()
    config, rotary = _config("reference", settings)
    weights = {name: p.detach().clone() for name, p in reference.named_parameters()}
    biased, rounding = _biased(settings), _rounding(reference)
    model = _built("reference", config, rotary, biased, weights, rounding)
    return model.train(reference.training)


def load_llama_folder(folder: str | Path) -> LanguageModel:
    """The `LanguageModel` of a folder that holds a Llama, or a model built as it is, in eval
    mode: ids (B, T) to logits (B, T, V).

    folder: with config.json and model.safetensors, or the files that model.safetensors.index.json
    names, as `save_pretrained` writes them and as the model's page offers them; `transformers`
    is not needed. Raises FileNotFoundError for a missing file, ValueError for one that can't be
    read, a setting that our model does not have, or weights that are not those its config
    describes.
    """
    file = file_in(folder, "config.json")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        weights = {}
        for shard in _shards(folder):
            weights |= load_file(shard)
    except (*UNREADABLE, SafetensorError) as error:
        raise ValueError(
            f"folder must hold a Llama that can be read, got {error!r}"
        ) from error
    config, rotary = _config("folder", settings)
    biased = _biased(settings)
    return _built("folder", config, rotary, biased, weights, Rounding()).eval()


def _shards(folder):
    """The files of weights in a folder: one, or those that an index names."""
    if not Path(folder, INDEX).is_file():
        return [file_in(folder, "model.safetensors")]
    index = json.loads(Path(folder, INDEX).read_text(encoding="utf-8"))
    names = sorted(set(index["weight_map"].values()))
    return [file_in(folder, Path(name).name) for name in names]


class Rounding(NamedTuple):
    """What a Llama computes in 32 bits even where its numbers have 64."""

    norms: bool = True
    angles: bool = True
    softmax: bool = False


def _rounding(reference):
    """The `Rounding` of a model of `transformers`; ours has to round alike."""
    norm, rotary = reference.model.norm, reference.model.rotary_emb
    x = (
        torch.linspace(0.1, 1, len(norm.weight)).to(norm.weight.device).double()
        ** 2
    )
    cos, _ = rotary(x, torch.arange(len(x), device=x.device)[None])
    return Rounding(
        norms=torch.equal(norm(x), norm(x.float().double())),
        angles=torch.equal(cos, cos.float().double()),
        softmax=reference.config._attn_implementation == "eager",
    )


def _built(name, config, rotary, biased, theirs, rounding):
    """Our model with their weights, which it takes over. name: of the argument that they came
    in; biased: which projections have a bias in theirs.
    """
    with torch.device("meta"):  # nothing is drawn that is replaced at once
        model = LanguageModel(config)
        _exchange(model, rotary, rounding)
    weights = _our_weights(name, config, theirs)
    if config.bias:  # zeros where only ours has a bias
        for ours, parameter in model.named_parameters():
            *_, projection, kind = ours.split(".")
            if kind == "bias" and projection not in biased:
                weights[ours] = weights[TOKENS].new_zeros(parameter.shape)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name} must hold the weights that its config describes, got {reason:.200}"
        ) from error
    if config.tie_embeddings:
        model.output.weight = model.target_embedding.tokens.weight
    return model


def _exchange(model, rotary, rounding):
    """Give a model this `Rotary`, and the parts that round."""
    if rounding.angles:
        rotary = RoundedRotary(rotary.d_head, rotary.base, rotary.stretch)
    for layer in model.decoder.layers:
        layer.self_attention.rotate = rotary
        if rounding.softmax:
            layer.self_attention.inner_attention = rounded_attention
    for part in list(model.modules()) if rounding.norms else []:
        for name, norm in part.named_children():
            if isinstance(norm, RMSNorm):
                setattr(part, name, RoundedNorm(len(norm.weight), norm.eps))


def rounded_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D"],
    mask: Bool[Tensor, "..."] | None = None,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T S"]]:
    """`scaled_dot_product_attention` with a softmax in 32 bits even where the scores have 64, for
    masks that leave each query a key: (B, H, T, D), (B, H, S, D) twice, to (B, H, T, D) and the
    weights (B, H, T, S).
    """
    scores = query @ key.mT / math.sqrt(query.size(-1))  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.float().softmax(dim=-1).to(query.dtype)  # (B, H, T, S)
    return F.dropout(weights, dropout) @ value, weights  # (B, H, T, D)


class RoundedNorm(RMSNorm):
    """An `RMSNorm` that computes in 32 bits even where x has 64: (B, T, d_model) to the same."""

    def forward(self, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        return super().forward(x.float()).to(x.dtype)


class RoundedRotary(Rotary):
    """A `Rotary` whose angles have 32 bits even where x has 64."""

    def angles(self, length: int, past: int, like: Tensor) -> Float[Tensor, "T D"]:
        """The angles (T, D/2) of the positions past … past + length - 1, in 32 bits."""
        return super().angles(length, past, like.float())


def _config(name, settings):
    """What a config.json says, as a `BlockConfig` and a `Rotary`. Its other settings say how to
    train: they change no logit.
    """
    rope = _check(name, settings)
    kind = settings["model_type"]
    window = settings.get("sliding_window") if kind == "mistral" else None
    try:
        n_heads = settings["num_attention_heads"]
        d_head = settings.get("head_dim") or settings["hidden_size"] // n_heads
        rotary = Rotary(d_head, rope["rope_theta"], _stretch(rope))
        config = BlockConfig(
            target_vocab=settings["vocab_size"],
            d_model=settings["hidden_size"],
            n_heads=n_heads,
            n_layers=settings["num_hidden_layers"],
            d_ff=settings["intermediate_size"],
            dropout=0.0,
            positions="rotary",
            tie_embeddings=settings.get("tie_word_embeddings", False),
            norm_eps=settings.get("rms_norm_eps", 1e-6),
            max_length=settings["max_position_embeddings"],
            pad=_pad(settings),
            rms_norm=True,
            swiglu=True,
            bias=bool(_biased(settings)),
            rotary_base=rotary.base,
            n_key_heads=settings.get("num_key_value_heads"),
            qk_norm=kind == "qwen3",
            d_attention=n_heads * d_head,
            mixer="local" if window else "attention",
            window=window or 1,
        )
    except (*UNREADABLE, ZeroDivisionError) as error:
        raise ValueError(
            f"{name} must have a config that can be read, got {error!r}"
        ) from error
    return config, rotary


def _biased(settings):
    """The projections, by our names, that have a bias in theirs."""
    names = set()
    if settings.get("attention_bias") or settings["model_type"] == "qwen2":
        names |= {"query_projection", "key_projection", "value_projection"}
    if settings.get("attention_bias"):
        names.add("output_projection")
    if settings.get("mlp_bias"):
        names |= {"gate", "linear_1", "linear_2"}
    return names


def _check(name, settings):
    """The settings of rotary positions, from an old config's rope_theta and rope_scaling or a
    new one's rope_parameters. Raises ValueError for any setting that our model does not have.
    """
    kind = settings.get("model_type") if isinstance(settings, dict) else None
    if kind not in FAMILY:
        raise ValueError(f"{name} must have a model_type of {FAMILY}, got {kind!r}")
    rope = {"rope_theta": settings.get("rope_theta", 10_000.0)}
    rope |= settings.get("rope_scaling") or {}
    rope |= settings.get("rope_parameters") or {}
    rope["rope_type"] = rope.get("rope_type", rope.get("type", "default"))
    for setting, values in REQUIRED.items():
        found = (rope | settings).get(setting, values[0])
        if found not in values:
            raise ValueError(
                f"{name} must have a {setting} of {', '.join(map(repr, values))}, "
                f"got {found!r}"
            )
    for setting in NAMED.get(kind, ()):
        if setting not in settings:
            raise ValueError(
                f"{name} must name the {setting} of its {kind}, got none"
            )
    return rope


def _stretch(rope):
    """How the frequencies are stretched, as a function, or None."""
    if rope["rope_type"] == "linear":
        return partial(interpolated, factor=rope["factor"])
    if rope["rope_type"] == "llama3":
        return partial(
            interpolated_by_wavelength,
            factor=rope["factor"],
            low_freq_factor=rope["low_freq_factor"],
            high_freq_factor=rope["high_freq_factor"],
            original_length=rope["original_max_position_embeddings"],
        )
    return None


def _pad(settings):
    """The id that fills up finished rows: the config's pad, else its end of text, else 0. An id
    outside the vocabulary is passed over, since no embedding has it.
    """
    ends = settings.get("eos_token_id")
    ids = [
        settings.get("pad_token_id"),
        *(ends if isinstance(ends, list) else [ends]),
    ]
    known = range(settings["vocab_size"])
    return next((i for i in ids if type(i) is int and i in known), 0)


def _our_weights(name, config, theirs):
    """Their weights by our names. Raises ValueError unless all have one floating dtype, and when
    tied matrices differ or the embedding is missing.
    """
    weights = dict(_translate(theirs, config.d_head))
    dtypes = {weight.dtype for weight in weights.values()}
    if len(dtypes) != 1 or not dtypes <= DTYPES:
        raise ValueError(
            f"{name} must hold weights of one floating dtype, got "
            f"{sorted(map(str, dtypes))}"
        )
    if TOKENS not in weights:
        raise ValueError(
            f"{name} must hold the weights of embed_tokens, got {sorted(theirs)[:3]}"
        )
    if config.tie_embeddings:
        output = weights.setdefault(OUTPUT, weights[TOKENS])
        if not torch.equal(output, weights[TOKENS]):
            raise ValueError(
                f"{name} must hold one matrix as embed_tokens and lm_head, as its config says "
                "by tie_word_embeddings=True, got two that differ"
            )
    return weights


def _translate(weights, d_head):
    """Pairs (our name, weight). Llama turns coordinate i of a head together with i + D/2, and we
    turn 2i with 2i + 1: the rows of each head's queries and keys are sorted accordingly.
    """
    for name, weight in weights.items():
        if name.endswith("rotary_emb.inv_freq"):
            continue  # the frequencies, which older files store
        name = rename(name, OUR_NAMES)
        if set(name.split(".")) & TURNED and weight.size(0) % d_head == 0:
            halves = weight.unflatten(0, (-1, 2, d_head // 2))  # (heads, 2, D/2, …)
            weight = halves.transpose(1, 2).flatten(0, 2)  # (heads · D, …)
        yield name, weight
