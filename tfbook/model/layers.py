"""Feed-forward, Add & Norm, the layers of encoder and decoder, and the embedding of ids."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tfbook.model.attention import MultiHeadAttention
from tfbook.model.cache import LayerCache
from tfbook.model.checks import check_device, check_ids
from tfbook.model.positions import sinusoidal_positions


class FeedForward(nn.Module):
    r"""$\text{FFN}(x) = f(x W_1 + b_1) W_2 + b_2$ at every position alike.

    Source: Vaswani et al. 2017, equation 2. $f$ is relu in the paper; gelu
    (Hendrycks & Gimpel 2016) or its tanh approximation on request. Dropout follows
    $f$. (B, T, d_model) -> (B, T, d_model).
    """

    def __init__(self, config):
        super().__init__()
        self.linear_1 = nn.Linear(config.d_model, config.d_ff)
        self.linear_2 = nn.Linear(config.d_ff, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.activation = config.activation

    def forward(
        self, x: Float[Tensor, "B T d_model"]
    ) -> Float[Tensor, "B T d_model"]:
        x = activate(self.linear_1(x), self.activation)  # (B, T, d_ff)
        return self.linear_2(self.dropout(x))  # (B, T, d_model)


def activate(x: Float[Tensor, "*shape"], name: str) -> Float[Tensor, "*shape"]:
    r"""$\max(0, x)$ for "relu", $x\,\Phi(x)$ for "gelu", or its tanh approximation."""
    if name == "relu":
        return F.relu(x)
    return F.gelu(x, approximate="tanh" if name == "gelu_tanh" else "none")


class AddNorm(nn.Module):
    r"""Wraps a sublayer: $\text{Norm}(x + \text{Dropout}(f(x)))$ in post-norm, the
    paper's figure 1, and $x + \text{Dropout}(f(\text{Norm}(x)))$ in pre-norm (Xiong
    et al. 2020, table 1).

    Called with x (B, T, d_model) and the function f; returns (B, T, d_model).
    """

    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.pre = config.norm == "pre"

    def forward(
        self,
        x: Float[Tensor, "B T d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "B T d_model"]:
        if self.pre:
            return x + self.dropout(sublayer(self.norm(x)))  # (B, T, d_model)
        return self.norm(x + self.dropout(sublayer(x)))  # (B, T, d_model)


class EncoderLayer(nn.Module):
    """Self-attention, then feed-forward, each in its Add & Norm.

    Source: Vaswani et al. 2017, section 3.1. x: (B, S, d_model); mask: boolean,
    broadcastable to (B, H, S, S). Returns (B, S, d_model).
    """

    def __init__(self, config):
        super().__init__()
        self.self_attention = self_attention(config)
        self.feed_forward = FeedForward(config)
        self.add_norm = nn.ModuleList(AddNorm(config) for _ in range(2))

    def forward(
        self,
        x: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "B S d_model"]:
        def attend(x):
            return self.self_attention(x, x, x, mask)[0]

        x = self.add_norm[0](x, attend)
        return self.add_norm[1](x, self.feed_forward)  # (B, S, d_model)


class DecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward, each in its Add & Norm.

    Source: Vaswani et al. 2017, section 3.1. x: (B, T, d_model); memory: (B, S,
    d_model); mask broadcastable to (B, H, T, past + T), memory_mask to (B, H, T,
    S); cache: a `LayerCache`. cross_attention=False leaves that sublayer out,
    parameters included. Returns (B, T, d_model).
    """

    def __init__(self, config, cross_attention=True):
        super().__init__()
        self.self_attention = self_attention(config)
        if cross_attention:
            self.cross_attention = MultiHeadAttention(
                config.d_model, config.n_heads, config.dropout
            )
        self.feed_forward = FeedForward(config)
        self.add_norm = nn.ModuleList(
            AddNorm(config) for _ in range(3 if cross_attention else 2)
        )

    def forward(
        self,
        x: Float[Tensor, "B T d_model"],
        memory: Float[Tensor, "B S d_model"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        *,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "B T d_model"]:
        own, other = (None, None) if cache is None else (cache.past, cache.memory)

        def attend(x):
            return self.self_attention(x, x, x, mask, cache=own)[0]

        def attend_to_memory(x):
            return self.cross_attention(
                x, memory, memory, memory_mask, cache=other
            )[0]

        x = self.add_norm[0](x, attend)
        if memory is not None:
            x = self.add_norm[1](x, attend_to_memory)
        return self.add_norm[-1](x, self.feed_forward)  # (B, T, d_model)


def self_attention(config) -> MultiHeadAttention:
    """The attention of a sequence to itself, which alone applies rotary positions."""
    return MultiHeadAttention(
        config.d_model,
        config.n_heads,
        config.dropout,
        rotary=config.positions == "rotary",
    )


class InputEmbedding(nn.Module):
    r"""Ids to vectors: $\text{Dropout}(\sqrt{d_\text{model}}\, E_{id} + PE_p)$
    (Vaswani et al. 2017, sections 3.4, 3.5, 5.4).

    ids: (B, T) integers; the first of them stands at position `past`. Returns (B,
    T, d_model). With rotary positions or none, nothing is added here; scaled=False
    leaves the factor out, as GPT, BERT and Whisper do. Raises
    TypeError for ids that are not integers; ValueError for ids of another rank,
    empty, on another device, outside the vocabulary, or reaching beyond max_length.
    """

    def __init__(self, vocab, config, scaled=True):
        super().__init__()
        self.tokens = nn.Embedding(vocab, config.d_model)
        self.scale = math.sqrt(config.d_model) if scaled else 1.0
        if config.positions == "learned":
            self.position_embedding = nn.Embedding(
                config.max_length, config.d_model
            )
        self.dropout = nn.Dropout(config.dropout)
        self.positions, self.max_length = config.positions, config.max_length

    def forward(
        self, ids: Int[Tensor, "B T"], past: int = 0, name: str = "ids"
    ) -> Float[Tensor, "B T d_model"]:
        self._check(ids, past, name)
        x = self.tokens(ids) * self.scale  # (B, T, d_model)
        if self.positions == "sinusoidal":
            x = x + sinusoidal_positions(*x.shape[1:], past, like=x)  # (T, d_model)
        elif self.positions == "learned":
            positions = torch.arange(past, past + ids.size(1), device=ids.device)
            x = x + self.position_embedding(positions)  # (T, d_model)
        return self.dropout(x)  # (B, T, d_model)

    def _check(self, ids, past, name):
        check_ids(name, ids)
        check_device(name, ids, "model", self.tokens.weight.device)
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            return  # lengths and ids are symbols there
        if past + ids.size(1) > self.max_length:
            raise ValueError(
                f"{name} must end by max_length={self.max_length}, got {past + ids.size(1)} symbols"
            )
        if ids.is_meta:
            return  # there are no ids to look at
        vocab = self.tokens.num_embeddings
        low, high = (int(bound) for bound in ids.aminmax())
        if low < 0 or high >= vocab:
            raise ValueError(
                f"{name} must lie in the vocabulary, 0 to {vocab - 1}, got ids from {low} to {high}"
            )


def init_weights(model: nn.Module) -> nn.Module:
    r"""What every parameter starts as; returns the model.

    Projections: Xavier uniform (Glorot & Bengio 2010), biases 0, norms the
    identity. Token embeddings: normal with deviation $1/\sqrt{d_\text{model}}$, so
    that scaled by $\sqrt{d_\text{model}}$ they have deviation 1, and a tied output
    starts with logits of deviation near 1 (in pre-norm the logit of the symbol just
    read starts larger, since the residual path carries its embedding to the output).
    Learned positions: normal with deviation 0.02.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, InputEmbedding):
            tokens = module.tokens
            nn.init.normal_(tokens.weight, std=tokens.embedding_dim**-0.5)
            if module.positions == "learned":
                nn.init.normal_(module.position_embedding.weight, std=0.02)
    return model
