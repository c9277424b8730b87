"""From the paper's block to that of today: parts of a plain model exchanged, one change at a
time, and the language model made of it.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tfbook.model.cache import KeyValueCache
from tfbook.model.gpt import GPT
from tfbook.model.layers import FeedForward, init_weights
from tfbook.model.transformer import Decoder, Encoder
from tfbook.variants.experts import MixtureOfExperts
from tfbook.variants.grouped import GroupedQueryAttention
from tfbook.variants.layers import RMSNorm, SwiGLU
from tfbook.variants.linear import LinearAttention
from tfbook.variants.rotary import Rotary
from tfbook.variants.state_space import StateSpace
from tfbook.variants.window import LocalAttention


def modernise(model):
    r"""Exchange the parts of a plain model, in place, for those that its `BlockConfig` asks for;
    returns the model, whose layers start anew.

    model: a `Transformer`, a `GPT` or whatever else has a config and stacks of layers, before
    its training. With the defaults it computes what it did. Sources: RMSNorm, Zhang & Sennrich
    2019; SwiGLU, Shazeer 2020; no biases, Chowdhery et al. 2022, PaLM; grouped queries, Ainslie
    et al. 2023; QK-norm, Henry et al. 2020; the start of what writes to the residual stream,
    scaled by $1/\sqrt N$ for N sublayers, Radford et al. 2019, section 2.3. Embeddings and
    output stay what they are. Raises ValueError for a mixer that can't see what its stack has
    to see.
    """
    config = model.config
    for stack in model.modules():
        if isinstance(stack, Encoder | Decoder):
            check_mixer(config, stack)
            for layer in stack.layers:
                exchange_parts(layer, config)
            if not isinstance(stack.norm, nn.Identity):
                stack.norm = norm_of(config)
            if not config.bias:
                drop_biases(stack)
            if config.scale_residuals:
                scale_residuals(stack)
    return model


def exchange_parts(layer, config) -> None:
    """Give an `EncoderLayer` or a `DecoderLayer` the parts that its config asks for."""
    layer.self_attention = mixer_of(config)
    if hasattr(layer, "cross_attention"):
        layer.cross_attention = attention_of(config)
    layer.feed_forward = feed_forward_of(config)
    for add_norm in layer.add_norm:
        add_norm.norm = norm_of(config)
    init_weights(layer)


def norm_of(config) -> nn.Module:
    """The norm of vectors (B, T, d_model) that a config asks for."""
    kind = RMSNorm if config.rms_norm else nn.LayerNorm
    return kind(config.d_model, eps=config.norm_eps)


def feed_forward_of(config) -> nn.Module:
    """The feed-forward network that a config asks for, or several with a router."""
    kind = SwiGLU if config.swiglu else FeedForward
    if config.n_experts == 1:
        return kind(config)
    experts = [kind(config) for _ in range(config.n_experts)]
    return MixtureOfExperts(config.d_model, experts, config.top_k, config.balance)


def mixer_of(config) -> nn.Module:
    """What lets the positions of one sequence see each other."""
    if config.mixer == "state_space":
        return StateSpace(config.d_model)
    rotary = None
    if config.positions == "rotary":
        rotary = Rotary(config.d_head, config.rotary_base)
    return attention_of(config, rotary, config.mixer)


def attention_of(config, rotary=None, mixer="attention") -> GroupedQueryAttention:
    """The attention that a config asks for, of a sequence to itself or to another."""
    kind = {"local": LocalAttention, "linear": LinearAttention}
    window = {"window": config.window} if mixer == "local" else {}
    return kind.get(mixer, GroupedQueryAttention)(
        config.d_model,
        config.n_heads,
        config.n_key_heads or config.n_heads,
        dropout=config.dropout,
        d_attention=config.d_attention,
        rotary=rotary,
        qk_norm=config.qk_norm,
        sink=config.sink,
        norm_eps=config.norm_eps,
        **window,
    )


def check_mixer(config, stack) -> None:
    """Raise ValueError unless this stack can have the config's mixer. All but attention see the
    past alone and take no padding mask.
    """
    if config.mixer != "attention" and getattr(stack, "cross_attention", True):
        raise ValueError(
            "config.mixer must be 'attention' in an encoder and in a decoder with a memory, "
            f"got {config.mixer!r}"
        )


def drop_biases(stack) -> None:
    """Take the biases out of all layers of a stack, norms included."""
    for module in stack.modules():
        if isinstance(module, nn.Linear | nn.LayerNorm):
            module.bias = None


def scale_residuals(stack) -> None:
    r"""Let what writes to the residual stream start smaller by $1/\sqrt N$, for N sublayers, so
    that all of them together add no more than one alone would.
    """
    n_sublayers = sum(len(layer.add_norm) for layer in stack.layers)
    for name, module in stack.named_modules():
        if name.endswith(("output_projection", "linear_2")):
            with torch.no_grad():
                module.weight /= n_sublayers**0.5


def prepare(cache: KeyValueCache, layers) -> None:
    """Give each layer's part of an empty cache what the layer's mixer remembers the past by."""
    for i, layer in enumerate(layers):
        cache.layers[i].past = layer.self_attention.new_past()


class LanguageModel(GPT):
    r"""A `GPT` of the block that a `BlockConfig` asks for: ids in, logits over the next id out.

    Called with target (B, T) integers; returns logits (B, T, V). With the defaults it computes
    what a GPT computes; with rms_norm, swiglu, bias=False, rotary positions, grouped queries
    and an untied output what Llama computes (Touvron et al. 2023, section 2.2). Raises
    TypeError or ValueError naming config or target.
    """

    def __init__(self, config):
        super().__init__(config)
        modernise(self)

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: None = None,
        source_mask: None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "B T V"]:
        """As `GPT.decode`: target (B, T) to logits (B, T, V). An empty cache first gets the
        memory that each layer asks for: all keys and values, those of a window, or a state.
        """
        if cache is not None and cache.length == 0:
            prepare(cache, self.decoder.layers)
        return super().decode(target, memory, source_mask, cache)
