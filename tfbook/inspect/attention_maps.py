"""Where a trained model looks: its attention weights, watched from outside."""

from contextlib import contextmanager

import torch

from tfbook.inspect.modes import evaluating

KINDS = {  # of attention: the stack it is in, its name in a layer
    "encoder": ("encoder", "self_attention"),
    "decoder": ("decoder", "self_attention"),
    "cross": ("decoder", "cross_attention"),
}


def attention_layers(model, kind):
    """The `MultiHeadAttention` of each layer of a Transformer, the first layer first.

    kind: "encoder", "decoder" (both self-attention) or "cross". Raises ValueError for
    another.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {list(KINDS)}, got {kind!r}")
    stack, name = KINDS[kind]
    return [getattr(layer, name) for layer in getattr(model, stack).layers]


def attention_maps(model, kind, source, target):
    """The attention weights in all L layers, without dropout, while a Transformer reads
    source (B, S) and target (B, T + 1), start and stop included.

    kind: as in `attention_layers`, with its ValueError. Returns (B, L, H, T, S), where
    row t predicts target[:, t + 1]; (…, S, S) in the encoder, (…, T, T) in the decoder.
    """
    layers = attention_layers(model, kind)
    with evaluating(model), torch.no_grad(), watching(layers) as weights:
        model(source, target[:, :-1])
    return torch.stack(weights, dim=1)  # (B, L, H, T, S)


@contextmanager
def watching(layers):
    """A list that grows by the weights (B, H, T, S) of each call of these attentions, for
    models in eval mode and without a cache.
    """
    weights = []

    def look(attention, inputs):
        weights.append(attention.forward(*inputs, need_weights=True)[1])

    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def image_attention_maps(model, image):
    """The attention weights in all L layers of a `ViT`, without dropout, while it looks at
    pictures (B, C, height, width): (B, L, H, 1 + S, 1 + S), the class token's row and
    column first.
    """
    layers = [layer.self_attention for layer in model.encoder.layers]
    with evaluating(model), torch.no_grad(), watching(layers) as weights:
        model(image)
    return torch.stack(weights, dim=1)  # (B, L, H, 1 + S, 1 + S)


def rollout(maps):
    r"""How much of each input vector reaches each vector behind the last layer:
    $R_L \cdots R_2 R_1$, with $R_l = \tfrac12 (\bar A_l + I)$ and $\bar A_l$ the mean of
    layer $l$'s maps over its heads (Abnar & Zuidema 2020, section 3).

    maps: (B, L, H, S, S), as from `image_attention_maps`. Returns (B, S, S), whose rows sum to one.
    Raises ValueError for another rank.
    """
    if maps.dim() != 5:
        raise ValueError(f"maps must be (B, L, H, S, S), got {tuple(maps.shape)}")
    same = torch.eye(maps.size(-1)).to(maps)  # (S, S)
    total = same
    for layer in maps.mean(dim=2).unbind(1):
        total = (layer + same) / 2 @ total  # (B, S, S)
    return total
