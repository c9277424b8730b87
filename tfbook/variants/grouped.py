"""Attention whose heads share keys and values."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tfbook.model.attention import MultiHeadAttention
from tfbook.model.cache import PastKeysAndValues
from tfbook.model.checks import check_count, check_probability, check_vectors
from tfbook.variants.checks import check_key_heads
from tfbook.variants.layers import RMSNorm


class GroupedQueryAttention(MultiHeadAttention):
    r"""Head $i$ of the $h$ heads of queries attends to head $\lfloor i\, g / h \rfloor$ of the
    $g$ heads of keys and values: $\text{head}_i = \text{Attention}(Q W_i^Q,
    K W_{\lfloor i g / h \rfloor}^K, V W_{\lfloor i g / h \rfloor}^V)$.

    Source: Ainslie et al. 2023, section 2.2; with n_key_heads=1 the multi-query attention of
    Shazeer 2019, with n_key_heads=n_heads that of the paper. A cache holds n_key_heads heads,
    (B, n_key_heads, S, D). Called as `MultiHeadAttention`: query (B, T, d_model), key and
    value (B, S, d_model), a mask broadcastable to (B, H, T, S). d_attention: the width of
    all heads together, by default d_model. rotary: a `Rotary`. qk_norm: an `RMSNorm` of each
    head's queries and keys, before they are rotated (Henry et al. 2020; as in Qwen 3). sink:
    a key and a value of zeros stand before the others, so that a query may attend to nothing
    (`add_zero_attn` of `torch.nn.MultiheadAttention`). Raises ValueError or TypeError naming
    the argument.
    """

    def __init__(
        self,
        d_model,
        n_heads,
        n_key_heads,
        dropout=0.0,
        *,
        d_attention=None,
        rotary=None,
        qk_norm=False,
        sink=False,
        norm_eps=1e-6,
    ):
        nn.Module.__init__(self)
        check_count("d_model", d_model)
        check_count("n_heads", n_heads)
        check_count("n_key_heads", n_key_heads)
        d_attention = d_model if d_attention is None else d_attention
        check_key_heads(n_heads, n_key_heads, d_attention)
        check_probability("dropout", dropout)
        self.d_model, self.n_heads = d_model, n_heads
        self.n_key_heads, self.d_head = n_key_heads, d_attention // n_heads
        self.dropout, self.rotate, self.sink = dropout, rotary, sink
        self.query_projection = nn.Linear(d_model, d_attention)
        self.key_projection = nn.Linear(d_model, n_key_heads * self.d_head)
        self.value_projection = nn.Linear(d_model, n_key_heads * self.d_head)
        self.output_projection = nn.Linear(d_attention, d_model)
        self.query_norm = (
            RMSNorm(self.d_head, norm_eps) if qk_norm else nn.Identity()
        )
        self.key_norm = RMSNorm(self.d_head, norm_eps) if qk_norm else nn.Identity()

    def forward(
        self,
        query: Float[Tensor, "B T d_model"],
        key: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        need_weights: bool = False,
        *,
        cache=None,
    ) -> tuple[Float[Tensor, "B T d_model"], Float[Tensor, "B H T all"] | None]:
        check_vectors(self, self.d_model, query=query, key=key, value=value)
        past = cache.length if isinstance(cache, PastKeysAndValues) else 0
        query = self.query_norm(self.split_heads(self.query_projection(query)))
        if self.rotate is not None:
            query = self.rotate(query, past)  # (B, H, T, D)
        if cache is None:
            key, value = self.keys_and_values(key, value)
        else:
            key, value = cache.update(self, key, value)
        key, value = self.for_each_head(key), self.for_each_head(value)
        output, weights = self.attend(query, key, value, mask, past, need_weights)
        output = output.transpose(1, 2).flatten(2)  # (B, T, d_attention)
        return self.output_projection(output), weights if need_weights else None

    def keys_and_values(
        self,
        key: Float[Tensor, "B S d_model"],
        value: Float[Tensor, "B S d_model"],
        past: int = 0,
    ) -> tuple[Float[Tensor, "B G S D"], Float[Tensor, "B G S D"]]:
        """The keys and values of the n_key_heads heads, (B, n_key_heads, S, D) each; the
        first stands at position `past`.
        """
        key = self.key_norm(self.split_heads(self.key_projection(key)))
        value = self.split_heads(self.value_projection(value))
        return key if self.rotate is None else self.rotate(key, past), value

    def for_each_head(
        self, x: Float[Tensor, "B G S D"]
    ) -> Float[Tensor, "B H S D"]:
        """(B, n_key_heads, S, D) to (B, H, S, D): neighbouring heads share a head of keys."""
        return x.repeat_interleave(self.n_heads // self.n_key_heads, dim=1)

    def attend(
        self,
        query: Float[Tensor, "B H T D"],
        key: Float[Tensor, "B H S D"],
        value: Float[Tensor, "B H S D"],
        mask: Bool[Tensor, "..."] | None,
        past: int,
        need_weights: bool,
    ) -> tuple[Float[Tensor, "B H T D"], Float[Tensor, "B H T S"] | None]:
        """The outputs of the heads, (B, H, T, D), and their weights, (B, H, T, S). past: the
        position of the first query.
        """
        if self.sink:  # one more key, at the left
            key, value = (F.pad(x, (0, 0, 1, 0)) for x in (key, value))
            mask = None if mask is None else F.pad(mask, (1, 0), value=True)
        dropout = self.dropout if self.training else 0.0
        output, weights = self.inner_attention(query, key, value, mask, dropout)
        return output, weights[..., 1:] if self.sink else weights

    def new_past(self) -> PastKeysAndValues:
        """An empty cache of the kind that this attention needs in decoding."""
        return PastKeysAndValues()

    def split_heads(
        self, x: Float[Tensor, "B T width"]
    ) -> Float[Tensor, "B heads T D"]:
        """(B, T, heads · D) to (B, heads, T, D), however many heads there are."""
        x = x.unflatten(-1, (-1, self.d_head))  # (B, T, heads, D)
        return x.transpose(1, 2)  # (B, heads, T, D)
