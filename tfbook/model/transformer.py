"""The encoder-decoder of "Attention Is All You Need" (Vaswani et al. 2017)."""

from torch import nn

from tfbook.model.checks import check_ids, check_memory, check_vectors
from tfbook.model.layers import (
    DecoderLayer,
    EncoderLayer,
    InputEmbedding,
    init_weights,
)
from tfbook.model.masks import causal_mask, needed, padding_mask
from tfbook.model.packing import PackedMask, Packing


class Encoder(nn.Module):
    """A stack of encoder layers: vectors in, vectors out (section 3.1).

    Called with x (B, S, d_model) and a boolean mask broadcastable to (B, H, S, S);
    returns (B, S, d_model). It adds nothing to its input: embedding scale,
    positions and embedding dropout belong to the caller, rotary positions to
    attention. With a `PackedMask`, x is packed, (1, N, d_model). Raises TypeError or
    ValueError naming x or mask.
    """

    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(config) for _ in range(config.n_layers)
        )
        self.norm = final_norm(config)
        init_weights(self)

    def forward(self, x, mask=None):
        check_vectors("x", x, self.layers[0].self_attention.query_projection.weight)
        for layer in self.layers:
            x = layer(x, mask)  # (B, S, d_model)
        return self.norm(x)  # (B, S, d_model)


class Decoder(nn.Module):
    """A stack of decoder layers: vectors in, vectors out (section 3.1).

    Called with x (B, T, d_model), memory (B, S, d_model), a boolean mask
    broadcastable to (B, H, T, T) and a memory_mask broadcastable to (B, H, T, S);
    returns (B, T, d_model). The caller passes `causal_mask`: without it every
    position sees all others. With a `KeyValueCache`, x holds the new positions
    alone, the mask covers (B, H, T, past + T), and a row of memory may serve several
    rows of x that lie together. With two `PackedMask`s x is packed, (1, N, d_model), and
    memory, (1, M, d_model). cross_attention=False makes a decoder-only stack.
    Raises ValueError when a memory is missing, or given and not wanted; TypeError or
    ValueError naming x, memory or mask when they do not fit.
    """

    def __init__(self, config, cross_attention=True):
        super().__init__()
        self.cross_attention = cross_attention
        self.layers = nn.ModuleList(
            DecoderLayer(config, cross_attention) for _ in range(config.n_layers)
        )
        self.norm = final_norm(config)
        init_weights(self)

    def forward(self, x, memory=None, mask=None, memory_mask=None, *, cache=None):
        if self.cross_attention and memory is None:
            raise ValueError(
                "memory must be (B, S, d_model) when cross_attention=True, got None"
            )
        if not self.cross_attention and memory is not None:
            raise ValueError(
                f"memory must be None when cross_attention=False, got {tuple(memory.shape)}"
            )
        first = self.layers[0].self_attention
        check_vectors("x", x, first.query_projection.weight)
        if memory is not None and not isinstance(memory_mask, PackedMask):
            check_memory(memory, memory_mask, x, first, "memory_mask", cache)
        for layer in self.layers:
            x = layer(x, memory, mask, memory_mask, cache=cache)  # (B, T, d_model)
        return self.norm(x)  # (B, T, d_model)


def final_norm(config):
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
    Pads are masked inside, and no target position sees a later one. In training the
    layers leave pads out but in attention; memory and logits are 0 there. Raises
    TypeError or ValueError naming source or target.
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

    def forward(self, source, target):
        memory = self.encode(source)  # (B, S, d_model)
        source_mask = self.mask_source(source)  # (B, 1, 1, S)
        return self.decode(target, memory, source_mask)  # (B, T, V)

    def mask_source(self, source):
        """Which of the source (B, S) is real: (B, 1, 1, S), False at pads. Raises
        TypeError or ValueError naming ids.
        """
        return padding_mask(source, self.config.pad)  # (B, 1, 1, S)

    def encode(self, source):
        """Source ids (B, S) to the memory (B, S, d_model).

        Raises TypeError or ValueError naming source.
        """
        x = self.source_embedding(source, name="source")  # (B, S, d_model)
        mask = self.mask_source(source)  # (B, 1, 1, S)
        packing = self.packing(x, mask)
        x = self.encoder(packing.pack(x), packing.mask_for(mask, packing))
        return packing.restore(x)  # (B, S, d_model)

    def packing(self, x, keep):
        """How x (B, T, d_model), real by keep (B, 1, 1, T), goes through a stack."""
        return Packing(x.shape[:2], keep) if self.training else Packing()

    def decode(self, target, memory, source_mask=None, cache=None):
        """Target ids (B, T) and the memory (B, S, d_model) to logits (B, T, V).

        source_mask: (B, 1, 1, S), True where the memory is of a real symbol. With a
        `KeyValueCache`, target holds only the ids that are new since the last call, and
        each row of memory may serve n rows of target that lie together, (B·n, T).
        Raises TypeError or ValueError naming target, memory or source_mask.
        """
        check_ids("target", target)
        first = self.decoder.layers[0].self_attention
        check_memory(memory, source_mask, target, first, "source_mask", cache)
        past = 0 if cache is None else cache.length
        x = self.target_embedding(target, past, name="target")  # (B, T, d_model)
        keep = padding_mask(target, self.config.pad)  # (B, 1, 1, T)
        if cache is not None:
            keep = cache.extend(keep)  # (B, 1, 1, past + T)
        # (B, 1, T, past + T)
        mask = keep & causal_mask(target.size(1), past, target.device)
        if cache is None:
            mine, theirs = self.packing(x, keep), self.packing(memory, source_mask)
        else:  # earlier keys lie in rows already
            mine = theirs = Packing()
            mask, source_mask = needed(mask), needed(source_mask)
        masks = mine.mask_for(mask, mine), mine.mask_for(source_mask, theirs)
        x = self.decoder(mine.pack(x), theirs.pack(memory), *masks, cache=cache)
        return mine.restore(self.output(x))  # (B, T, V)
