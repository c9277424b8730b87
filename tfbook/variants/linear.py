r"""Linear attention: the softmax gives way to a product of features, and so attention becomes
a sum that can be carried along.

$y_t = \frac{\sum_s \phi(q_t) \cdot \phi(k_s)\, v_s}{\sum_s \phi(q_t) \cdot \phi(k_s)}$, with
$\phi(x) = \text{elu}(x) + 1$. In every form below a column of ones stands beside the values: it
collects the denominator.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tfbook.model.cache import PastKeysAndValues
from tfbook.model.checks import check_attention, check_count, check_vectors
from tfbook.model.masks import causal_mask
from tfbook.variants.grouped import GroupedQueryAttention
from tfbook.variants.state import RunningState, check_recurrent


def linear_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    causal: bool = False,
) -> Float[Tensor, "B H T D_value"]:
    r"""$\phi(Q)\, (\phi(K)^\top V)$, each row divided by the sum of its weights: what a query
    needs to know of all keys and values is one matrix of D × D_value.

    Source: Katharopoulos et al. 2020, equations 5 to 7. query: (B, H, T, D); key and value:
    (B, H, S, D). causal: position t sees no later one, and S = T. Returns (B, H, T, D).
    Raises TypeError or ValueError naming query, key or value.
    """
    check_attention(query, key, value, None)
    if causal:
        if query.size(-2) != key.size(-2):
            raise ValueError(
                f"key must have as many positions as query, {query.size(-2)}, when "
                f"causal, got {key.size(-2)}"
            )
        return chunked_form(query, key, value)[0]
    state = features(key).mT @ with_ones(value)  # (B, H, D, D_value + 1)
    return divided(features(query) @ state)  # (B, H, T, D_value)


def parallel_form(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T D_value"],
) -> Float[Tensor, "B H T D_value"]:
    """Causal linear attention as attention is written: weights (B, H, T, T), those of later
    keys zero, times values. (B, H, T, D) three times to (B, H, T, D).
    """
    weights = features(query) @ features(key).mT  # (B, H, T, T)
    seen = causal_mask(query.size(-2), device=query.device)  # (1, 1, T, T)
    return divided(weights.masked_fill(~seen, 0) @ with_ones(value))  # (B, H, T, D)


def recurrent_form(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T D_value"],
) -> Float[Tensor, "B H T D_value"]:
    """Causal linear attention as a recurrent network: one symbol after the other, with a
    state that does not grow (equations 16 to 20). (B, H, T, D) three times to (B, H, T, D).
    """
    query, key, value = features(query), features(key), with_ones(value)
    state, outputs = 0, []
    for t in range(query.size(-2)):
        now = slice(t, t + 1)
        new = key[:, :, now].mT @ value[:, :, now]  # (B, H, D, D_value + 1)
        state = state + new
        outputs.append(query[:, :, now] @ state)  # (B, H, 1, D_value + 1)
    return divided(torch.cat(outputs, dim=-2))  # (B, H, T, D_value)


def chunked_form(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T D_value"],
    state: Float[Tensor, "B H D all"] | None = None,
    chunk: int = 64,
) -> tuple[Float[Tensor, "B H T D_value"], Float[Tensor, "B H D all"]]:
    """Causal linear attention in chunks: the parallel form within a chunk, the recurrent one
    from chunk to chunk (Yang et al. 2024, section 2.2).

    (B, H, T, D) three times; state: what came before, (B, H, D, D + 1), or None. Returns the
    output (B, H, T, D) and the state behind it. Raises ValueError unless chunk is a count.
    """
    check_count("chunk", chunk)
    query, key, value = features(query), features(key), with_ones(value)
    if state is None:  # (B, H, D, D_value + 1)
        state = value.new_zeros(*key.shape[:2], key.size(-1), value.size(-1))
    outputs = []
    for q, k, v in zip(
        *(x.split(chunk, -2) for x in (query, key, value)), strict=True
    ):
        seen = causal_mask(q.size(-2), device=q.device)  # (1, 1, chunk, chunk)
        weights = (q @ k.mT).masked_fill(~seen, 0)  # (B, H, chunk, chunk)
        outputs.append(weights @ v + q @ state)  # (B, H, chunk, D_value + 1)
        state = state + k.mT @ v  # (B, H, D, D_value + 1)
    return divided(torch.cat(outputs, dim=-2)), state


def features(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""$\phi(x) = \text{elu}(x) + 1$, which is positive (equation 7): (B, H, T, D) to the same."""
    return F.elu(x) + 1


def with_ones(value: Float[Tensor, "B H S D"]) -> Float[Tensor, "B H S all"]:
    """(B, H, S, D) to (B, H, S, D + 1), the last column of ones."""
    return F.pad(value, (0, 1), value=1.0)


def divided(sums: Float[Tensor, "B H T all"]) -> Float[Tensor, "B H T D"]:
    """(B, H, T, D + 1) to (B, H, T, D): the numerators by the denominator, the last column."""
    return sums[..., :-1] / sums[..., -1:]


class LinearAttention(GroupedQueryAttention):
    """A layer of causal linear attention, in the place of a decoder's self-attention.

    Called as its parent, with x (B, T, d_model) three times; its cache, a `RunningState`, has
    one size however much was read. Raises ValueError for a mask that is more than causal, or
    when weights are asked for: there are none.
    """

    def forward(
        self,
        query: Float[Tensor, "B T d_model"],
        key: Float[Tensor, "B T d_model"],
        value: Float[Tensor, "B T d_model"],
        mask: Bool[Tensor, "..."] | None = None,
        need_weights: bool = False,
        *,
        cache=None,
    ) -> tuple[Float[Tensor, "B T d_model"], None]:
        check_vectors(self, self.d_model, query=query, key=key, value=value)
        check_recurrent(mask, need_weights, query, cache)
        state = None if cache is None else cache.state(query)
        heads = self.query_norm(self.split_heads(self.query_projection(query)))
        key, value = map(self.for_each_head, self.keys_and_values(key, value))
        # a sum over a long text needs more than 16 bits
        wide = torch.promote_types(query.dtype, torch.float32)
        heads, key, value = heads.to(wide), key.to(wide), value.to(wide)
        output, state = chunked_form(heads, key, value, state)
        if cache is not None:
            cache.advance(state, query.size(1))
        output = output.transpose(1, 2).flatten(2)  # (B, T, d_attention)
        return self.output_projection(output.to(query.dtype)), None

    def new_past(self) -> PastKeysAndValues:
        """An empty `RunningState`."""
        return RunningState()
