"""The encoder-decoder of "Attention Is All You Need" (Vaswani et al. 2017)."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tfbook.model.cache import KeyValueCache
from tfbook.model.checks import check_ids, check_memory, check_vectors
from tfbook.model.layers import (
    DecoderLayer,
    EncoderLayer,
    InputEmbedding,
    init_weights,
)
from tfbook.model.masks import causal_mask, padding_mask


class Encoder(nn.Module):
    """A stack of encoder layers: vectors in, vectors out (section 3.1).

    Called with x (B, S, d_model) and a boolean mask broadcastable to (B, H, S, S);
    returns (B, S, d_model). It adds nothing to its input: embedding scale,
    positions and embedding dropout belong to the caller, rotary positions to
    attention. Raises TypeError or ValueError naming x or mask.
    """

    def __init__(self, config):
        super().__init__()
        self.d_model, self.n_heads = config.d_model, config.n_heads
        self.layers = nn.ModuleList(
            EncoderLayer(config) for _ in range(config.n_layers)
        )
        self.norm = final_norm(config)
        init_weights(self)

    def forward(
        self,
        x: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "B S d_model"]:
        check_vectors(self, self.d_model, x=x)
        for layer in self.layers:
            x = layer(x, mask)  # (B, S, d_model)
        return self.norm(x)  # (B, S, d_model)


class Decoder(nn.Module):
    """A stack of decoder layers: vectors in, vectors out (section 3.1).

    Called with x (B, T, d_model), memory (B, S, d_model), a boolean mask
    broadcastable to (B, H, T, T) and a memory_mask broadcastable to (B, H, T, S);
    returns (B, T, d_model). The caller passes `causal_mask`: without it every
    position sees all others. With a `KeyValueCache`, x holds the new positions
    alone, and the mask covers (B, H, T, past + T). cross_attention=False makes a
    decoder-only stack. Raises ValueError when a memory is missing, or given and not
    wanted; TypeError or ValueError naming x, memory or mask when they do not fit.
    """

    def __init__(self, config, cross_attention=True):
        super().__init__()
        self.d_model, self.n_heads = config.d_model, config.n_heads
        self.cross_attention = cross_attention
        self.layers = nn.ModuleList(
            DecoderLayer(config, cross_attention) for _ in range(config.n_layers)
        )
        self.norm = final_norm(config)
        init_weights(self)

    def forward(
        self,
        x: Float[Tensor, "B T d_model"],
        memory: Float[Tensor, "B S d_model"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "B T d_model"]:
        self.check(x, memory, memory_mask)
        for i, layer in enumerate(self.layers):
            layer_cache = None if cache is None else cache.layers[i]
            x = layer(
                x, memory, mask, memory_mask, cache=layer_cache
            )  # (B, T, d_model)
        return self.norm(x)  # (B, T, d_model)

    def check(
        self,
        x: Float[Tensor, "B T d_model"],
        memory: Float[Tensor, "B S d_model"] | None,
        memory_mask: Bool[Tensor, "..."] | None,
    ) -> None:
        """Raise unless the vectors x (B, T, d_model) and the memory fit this stack."""
        if self.cross_attention and memory is None:
            raise ValueError(
                "memory must be (B, S, d_model) when cross_attention=True, got None"
            )
        if not self.cross_attention and memory is not None:
            raise ValueError(
                f"memory must be None when cross_attention=False, got {tuple(memory.shape)}"
            )
        check_vectors(self, self.d_model, x=x)
        if memory is not None:
            check_memory(memory, memory_mask, x, self, "memory_mask")


def final_norm(config) -> nn.Module:
    """The norm behind a stack's last layer, or nothing."""
    wanted = (
        config.norm == "pre" if config.final_norm is None else config.final_norm
    )
    if wanted:
        return nn.LayerNorm(config.d_model, eps=config.norm_eps)
    return nn.Identity()


class Transformer(nn.Module):
    """The whole: source and target ids in, logits over the next target symbol out.

    Source: Vaswani et al. 2017, section 3 and figure 1. Called with source (B, S)
    and target (B, T) integers, padded with config.pad; returns logits (B, T, V).
    Pads are masked inside, and no target position sees a later one. Raises TypeError
    or ValueError naming source or target.
    """

    def __init__(self, config):
        super().__init__()
        for name in ("source_vocab", "target_vocab"):
            if getattr(config, name) is None:
                raise ValueError(
                    f"config.{name} must be a number of symbols here, got None"
                )
        self.config = config
        self.source_embedding = InputEmbedding(config.source_vocab, config)
        self.target_embedding = InputEmbedding(config.target_vocab, config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.d_model, config.target_vocab, bias=False)
        init_weights(self)
        if config.tie_embeddings:
            self.output.weight = self.target_embedding.tokens.weight

    def forward(
        self, source: Int[Tensor, "B S"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        memory = self.encode(source)  # (B, S, d_model)
        source_mask = self.mask_source(source)  # (B, 1, 1, S)
        return self.decode(target, memory, source_mask)  # (B, T, V)

    def mask_source(self, source: Int[Tensor, "B S"]) -> Bool[Tensor, "B 1 1 S"]:
        """Which of the source (B, S) is real: (B, 1, 1, S), False at pads. Raises
        TypeError or ValueError naming ids.
        """
        return padding_mask(source, self.config.pad)  # (B, 1, 1, S)

    def encode(self, source: Int[Tensor, "B S"]) -> Float[Tensor, "B S d_model"]:
        """Source ids (B, S) to the memory (B, S, d_model).

        Raises TypeError or ValueError naming source.
        """
        x = self.source_embedding(source, name="source")  # (B, S, d_model)
        return self.encoder(x, self.mask_source(source))  # (B, S, d_model)

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S d_model"],
        source_mask: Bool[Tensor, "..."] | None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Target ids (B, T) and the memory (B, S, d_model) to logits (B, T, V).

        source_mask: (B, 1, 1, S), True where the memory is of a real symbol. With a
        `KeyValueCache`, target holds only the ids that are new since the last call.
        Raises TypeError or ValueError naming target, memory or source_mask.
        """
        check_ids("target", target)
        check_memory(memory, source_mask, target, self.decoder, "source_mask")
        past = 0 if cache is None else cache.length
        x = self.target_embedding(target, past, name="target")  # (B, T, d_model)
        mask = padding_mask(target, self.config.pad)  # (B, 1, 1, T)
        if cache is not None:
            mask = cache.extend(mask)  # (B, 1, 1, past + T)
        # (B, 1, T, past + T)
        mask = mask & causal_mask(target.size(1), past, target.device)
        x = self.decoder(x, memory, mask, source_mask, cache=cache)
        return self.output(x)  # (B, T, V)
