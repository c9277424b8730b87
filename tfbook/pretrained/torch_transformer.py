"""The weights of a `torch.nn.Transformer`, moved into an `Encoder` and a `Decoder`
of ours.
"""

import dataclasses
import functools

import torch
import torch.nn.functional as F
from torch import nn

from tfbook.model.config import TransformerConfig
from tfbook.model.transformer import Decoder, Encoder

OUR_NAMES = {
    "self_attn": "self_attention",
    "multihead_attn": "cross_attention",
    "out_proj": "output_projection",
    "linear1": "feed_forward.linear_1",
    "linear2": "feed_forward.linear_2",
    "norm1": "add_norm.0.norm",
    "norm2": "add_norm.1.norm",
    "norm3": "add_norm.2.norm",
}


def load_torch_transformer(reference):
    """An `Encoder` and a `Decoder` that compute what the reference computes: the
    same outputs and gradients, from copies of its weights.

    reference: a `torch.nn.Transformer` (Vaswani et al. 2017) with biases and with
    relu or gelu, norm first or last. Its final norms, dropout, dtype, device and
    training mode are kept. Ours are batch first whatever the reference is, and in their
    boolean masks True means may attend, the opposite of its own. Returns (Encoder,
    Decoder): (B, S, d_model) -> (B, S, d_model), and (B, T, d_model) with it -> (B, T,
    d_model). Raises TypeError for anything else than a Transformer of PyTorch's own
    layers, ValueError for bias=False, another activation, keys that attention adds, or
    layers that differ in more than their weights.
    """
    if not isinstance(reference, nn.Transformer):
        raise TypeError(
            f"reference must be a torch.nn.Transformer, got {type(reference).__name__}"
        )
    encoder = _check_stack(
        "encoder", reference, nn.TransformerEncoder, nn.TransformerEncoderLayer
    )
    decoder = _check_stack(
        "decoder", reference, nn.TransformerDecoder, nn.TransformerDecoderLayer
    )
    return (
        _copy(Encoder(_config("encoder", encoder)), encoder),
        _copy(Decoder(_config("decoder", decoder)), decoder),
    )


def _check_stack(name, reference, stack_type, layer_type):
    stack = getattr(reference, name)
    if type(stack) is not stack_type:
        raise TypeError(
            f"reference.{name} must be a torch.nn.{stack_type.__name__}, got {type(stack).__name__}"
        )
    if len(stack.layers) == 0:
        raise ValueError(f"reference.{name} must have at least one layer, got 0")
    for layer in stack.layers:
        if type(layer) is not layer_type:
            raise TypeError(
                f"reference.{name}'s layers must be torch.nn.{layer_type.__name__}, "
                f"got {type(layer).__name__}"
            )
    for path, part in stack.named_modules():
        is_norm = path.rpartition(".")[2].startswith("norm")
        if is_norm and type(part) is not nn.LayerNorm:
            raise TypeError(
                f"reference.{name}.{path} must be a torch.nn.LayerNorm, "
                f"got {type(part).__name__}"
            )
    return stack


def _config(name, stack):
    """The `TransformerConfig` of a stack, whose layers may differ in nothing but their
    weights.
    """
    config, *others = (_layer_config(name, layer) for layer in stack.layers)
    for other in others:
        if other != config:
            raise ValueError(
                f"reference.{name}'s layers must be alike, got {config} and {other}"
            )
    if stack.norm is not None and stack.norm.eps != config.norm_eps:
        raise ValueError(
            f"reference.{name}'s norms must share one eps, got {config.norm_eps} "
            f"and {stack.norm.eps}"
        )
    return dataclasses.replace(
        config, n_layers=len(stack.layers), final_norm=stack.norm is not None
    )


def _layer_config(name, layer):
    if layer.linear1.bias is None:
        raise ValueError(f"reference.{name} must have biases, got bias=False")
    attentions = [
        part for part in layer.modules() if isinstance(part, nn.MultiheadAttention)
    ]
    for attention in attentions:
        if attention.add_zero_attn or attention.bias_k is not None:
            raise ValueError(
                f"reference.{name} must attend to the keys that it is given, got "
                f"add_zero_attn={attention.add_zero_attn} and bias_k={attention.bias_k}"
            )
    dropout = {part.p for part in layer.modules() if isinstance(part, nn.Dropout)}
    dropout |= {attention.dropout for attention in attentions}
    eps = {part.eps for part in layer.modules() if isinstance(part, nn.LayerNorm)}
    for setting, values in (("dropout", dropout), ("norm eps", eps)):
        if len(values) > 1:
            raise ValueError(
                f"reference.{name} must have one {setting}, got {sorted(values)}"
            )
    return TransformerConfig(
        d_model=layer.self_attn.embed_dim,
        n_heads=layer.self_attn.num_heads,
        d_ff=layer.linear1.out_features,
        dropout=dropout.pop(),
        norm="pre" if layer.norm_first else "post",
        norm_eps=eps.pop(),
        positions="none",
        activation=_activation(name, layer.activation),
    )


def _activation(name, function):
    if function in (F.relu, torch.relu) or isinstance(function, nn.ReLU):
        return "relu"
    if function is F.gelu:
        return "gelu"
    if isinstance(function, functools.partial) and function.func is F.gelu:
        approximate = function.keywords.get("approximate", "none")
        return "gelu_tanh" if approximate == "tanh" else "gelu"
    if isinstance(function, nn.GELU):
        return "gelu_tanh" if function.approximate == "tanh" else "gelu"
    raise ValueError(
        f"reference.{name}'s activation must be relu or gelu, got {function!r}"
    )


def _copy(ours, stack):
    """Our stack, with the weights, dtype, device and mode of theirs."""
    ours.to(next(stack.parameters())).load_state_dict(
        dict(_translate(stack.state_dict()))
    )
    return ours.train(stack.training)


def _translate(state):
    """Pairs (our name, weight); `in_proj`, the projections of queries, keys and values
    as one matrix, is split.
    """
    for name, weight in state.items():
        name = ".".join(OUR_NAMES.get(part, part) for part in name.split("."))
        layer, joint, kind = name.partition("in_proj_")
        if joint:
            for part, rows in zip(
                ("query", "key", "value"), weight.chunk(3), strict=True
            ):
                yield f"{layer}{part}_projection.{kind}", rows
        else:
            yield name, weight
