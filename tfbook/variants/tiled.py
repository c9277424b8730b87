r"""FlashAttention, as it can be read: attention tile by tile, so that no matrix of T × S is ever
written to memory, forward or backward.

The large, slow memory is that of the arguments and results; `Traffic` counts what is read from
it and written to it. All else would fit into the small, fast memory beside the processor: a
tile of queries, one of keys, and what is computed of them.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tfbook.model.checks import check_count


class Traffic:
    """Bytes that were read from the large memory and written to it."""

    def __init__(self):
        self.read = self.written = 0

    def load(self, x: Tensor, rows: slice) -> Tensor:
        """These rows of x (B, H, T, D)."""
        self.read += x[:, :, rows].nbytes
        return x[:, :, rows]

    def store(self, x: Tensor, rows: slice, tile: Tensor) -> None:
        """Write the tile (B, H, rows, D) where the rows of x (B, H, T, D) are."""
        x[:, :, rows] = tile
        self.written += x[:, :, rows].nbytes


def tiled_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    tile: int = 64,
    causal: bool = False,
    traffic: Traffic | None = None,
) -> tuple[Float[Tensor, "B H T D_value"], Float[Tensor, "B H T 1"]]:
    r"""The output of `scaled_dot_product_attention`, (B, H, T, D), and the logarithm of each
    row's denominator, $L_t = \log \sum_s e^{q_t \cdot k_s / \sqrt D}$, (B, H, T, 1).

    Source: Dao 2023, FlashAttention-2, algorithm 1; the running softmax of Milakov &
    Gimelshein 2018. What was summed under a smaller maximum is shrunk when a larger one comes:
    $o \leftarrow e^{m_\text{old} - m} o + e^{s - m} v$, and the denominator alike. causal:
    query t sees keys 0 … t.
    """
    traffic = Traffic() if traffic is None else traffic
    output = query.new_empty(*query.shape[:3], value.size(-1))  # (B, H, T, D_value)
    log_sums = query.new_empty(*query.shape[:3], 1)  # (B, H, T, 1)
    for rows in tiles(query, tile):
        q = traffic.load(query, rows) / math.sqrt(query.size(-1))
        largest = torch.full_like(q[..., :1], -math.inf)  # (B, H, tile, 1)
        total = sums = torch.zeros_like(largest)
        for columns in tiles(key, tile, rows.stop if causal else None):
            k, v = traffic.load(key, columns), traffic.load(value, columns)
            scores = scores_of(q, k, rows, columns, causal)  # (B, H, tile, tile)
            before = largest
            largest = before.maximum(scores.amax(-1, keepdim=True))
            weights, shrink = (scores - largest).exp(), (before - largest).exp()
            total = shrink * total + weights.sum(-1, keepdim=True)
            sums = shrink * sums + weights @ v  # (B, H, tile, D_value)
        traffic.store(output, rows, sums / total)
        traffic.store(log_sums, rows, largest + total.log())
    return output, log_sums


def tiled_gradients(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    output: Float[Tensor, "B H T D_value"],
    log_sums: Float[Tensor, "B H T 1"],
    gradient: Float[Tensor, "B H T D_value"],
    tile: int = 64,
    causal: bool = False,
    traffic: Traffic | None = None,
) -> tuple[
    Float[Tensor, "B H T D"],
    Float[Tensor, "B H S D"],
    Float[Tensor, "B H S D_value"],
]:
    r"""The gradients of query, key and value, shaped as they are, (B, H, T, D), from that of
    the output. The weights are not remembered but computed again: $p_{ts} = e^{s_{ts} - L_t}$.

    Source: Dao 2023, algorithm 2: $\partial s_{ts} = p_{ts} (\partial o_t \cdot v_s - \partial
    o_t \cdot o_t)$. output and log_sums as `tiled_attention` returned them; the rest as there.
    """
    traffic = Traffic() if traffic is None else traffic
    scale = 1 / math.sqrt(query.size(-1))
    for_queries, for_keys, for_values = map(torch.zeros_like, (query, key, value))
    for columns in tiles(key, tile):
        k, v = traffic.load(key, columns), traffic.load(value, columns)
        for_key, for_value = torch.zeros_like(k), torch.zeros_like(v)
        for rows in tiles(query, tile):
            if causal and rows.stop <= columns.start:
                continue  # these queries see none of these keys
            inputs = query, output, gradient, log_sums, for_queries
            q, out, wanted, log_sum, so_far = (
                traffic.load(x, rows) for x in inputs
            )
            weights = scores_of(scale * q, k, rows, columns, causal) - log_sum
            weights = weights.exp()  # (B, H, tile, tile)
            for_value = for_value + weights.mT @ wanted  # (B, H, tile, D_value)
            from_values = wanted @ v.mT  # (B, H, tile, tile)
            mean = (wanted * out).sum(-1, keepdim=True)  # (B, H, tile, 1)
            for_scores = scale * weights * (from_values - mean)
            for_key = for_key + for_scores.mT @ q  # (B, H, tile, D)
            for_query = so_far + for_scores @ k  # (B, H, tile, D)
            traffic.store(for_queries, rows, for_query)
        traffic.store(for_keys, columns, for_key)
        traffic.store(for_values, columns, for_value)
    return for_queries, for_keys, for_values


def tiles(x: Tensor, tile: int, stop: int | None = None) -> list[slice]:
    """The positions of x (B, H, T, D), `tile` at a time, to the end or to those below stop.
    Raises TypeError or ValueError unless tile is a positive int.
    """
    check_count("tile", tile)
    length = x.size(-2) if stop is None else min(stop, x.size(-2))
    return [slice(i, min(i + tile, length)) for i in range(0, length, tile)]


def scores_of(
    q: Float[Tensor, "B H rows D"],
    k: Float[Tensor, "B H columns D"],
    rows: slice,
    columns: slice,
    causal: bool,
) -> Float[Tensor, "B H rows columns"]:
    """The scores of one tile, (B, H, rows, columns), -inf where causal hides a later key."""
    scores = q @ k.mT  # (B, H, rows, columns)
    if not causal:
        return scores
    s = torch.arange(columns.start, columns.stop, device=q.device)
    t = torch.arange(rows.start, rows.stop, device=q.device)
    return scores.masked_fill(s > t[:, None], -math.inf)


def untiled_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B H S D"],
    value: Float[Tensor, "B H S D_value"],
    traffic: Traffic,
) -> Float[Tensor, "B H T D_value"]:
    """The same output, (B, H, T, D), by three steps of which each reads from the large memory
    and writes to it: scores, softmax, product (Dao et al. 2022, algorithm 0).
    """
    whole = slice(None)
    scores = query.new_empty(*query.shape[:3], key.size(-2))  # (B, H, T, S)
    weights, output = (
        torch.empty_like(scores),
        query.new_empty(*query.shape[:3], value.size(-1)),
    )
    q, k = traffic.load(query, whole), traffic.load(key, whole)
    traffic.store(
        scores, whole, q @ k.mT / math.sqrt(query.size(-1))
    )  # (B, H, T, S)
    traffic.store(weights, whole, traffic.load(scores, whole).softmax(-1))
    p, v = traffic.load(weights, whole), traffic.load(value, whole)
    traffic.store(output, whole, p @ v)  # (B, H, T, D_value)
    return output
