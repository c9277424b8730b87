"""Attention tile by tile against the whole, forward and backward, and its bytes counted."""

import pytest
import torch
from subjects import B, D, H, S, T, noise

from tfbook import causal_mask, scaled_dot_product_attention
from tfbook.variants.tiled import (
    Traffic,
    tiled_attention,
    tiled_gradients,
    untiled_attention,
)


def heads(length=T, others=S, dtype=torch.float64):
    sizes = ((length, D), (others, D), (others, D + 1))
    return [
        4 * noise(torch.empty(B, H, *size, dtype=dtype), seed)
        for seed, size in enumerate(sizes)
    ]


CASES = [
    (n, m, tile, causal)
    for n, m, causal in ((T, S, False), (S, T, False), (S, S, True), (1, 1, True))
    for tile in (1, 3, 4, 11, 64)
]


@pytest.mark.parametrize(("length", "others", "tile", "causal"), CASES)
def test_output_and_gradients_are_those_of_the_whole(length, others, tile, causal):
    inputs = [x.requires_grad_() for x in heads(length, others)]
    mask = causal_mask(length) if causal else None
    wanted, weights = scaled_dot_product_attention(*inputs, mask)
    gradient = noise(wanted)
    theirs = torch.autograd.grad(wanted, inputs, gradient)
    with torch.no_grad():
        output, log_sums = tiled_attention(*inputs, tile, causal)
        ours = tiled_gradients(*inputs, output, log_sums, gradient, tile, causal)
    assert (output - wanted).abs().max() <= 1e-12
    scores = inputs[0] @ inputs[1].mT / D**0.5
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    assert (log_sums[..., 0] - scores.logsumexp(-1)).abs().max() <= 1e-12
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() <= 1e-12
    assert weights.max() > 0.9, "a softmax that is nearly uniform proves little"


def test_large_scores_do_not_overflow():
    query, key, value = (100 * x for x in heads(dtype=torch.float32))
    output, log_sums = tiled_attention(query, key, value, 3)
    wanted, _ = scaled_dot_product_attention(query, key, value)
    assert log_sums.max() > 1000
    assert (output - wanted).abs().max() <= 1e-4 * wanted.abs().max()


def size(*shape):
    return B * H * torch.Size(shape).numel() * 8


def test_the_bytes_are_those_of_the_algorithm():
    """Queries and outputs once, keys and values once for each tile of queries."""
    inputs, tile = heads(12, 20), 4
    traffic = Traffic()
    output, log_sums = tiled_attention(*inputs, tile, traffic=traffic)
    assert traffic.read == size(12, D) + 3 * (size(20, D) + size(20, D + 1))
    assert traffic.written == size(12, D + 1) + size(12, 1)
    traffic = Traffic()
    tiled_gradients(*inputs, output, log_sums, output, tile, traffic=traffic)
    # all that has a row for each query, once for each of the five tiles of keys
    rows = size(12, D) + 2 * size(12, D + 1) + size(12, 1) + size(12, D)
    assert traffic.read == size(20, D) + size(20, D + 1) + 5 * rows
    assert traffic.written == size(20, D) + size(20, D + 1) + 5 * size(12, D)


def test_untiled_the_scores_are_written_and_read_twice():
    inputs, traffic = heads(12, 20), Traffic()
    output = untiled_attention(*inputs, traffic)
    assert (output - scaled_dot_product_attention(*inputs)[0]).abs().max() <= 1e-12
    ends = size(12, D) + size(20, D) + size(20, D + 1)
    assert traffic.read == ends + 2 * size(12, 20)
    assert traffic.written == size(12, D + 1) + 2 * size(12, 20)


def test_tiles_of_the_future_are_left_out():
    inputs = heads(64, 64)
    counts = []
    for causal in (True, False):
        counts.append(Traffic())
        tiled_attention(*inputs, 4, causal, counts[-1])
    queries = size(64, D)
    share = (counts[0].read - queries) / (counts[1].read - queries)
    assert share == (16 * 17 / 2) / 16**2


@pytest.mark.parametrize("tile", [0, -1, 2.5])
def test_a_tile_below_one_is_refused(tile):
    with pytest.raises((ValueError, TypeError), match=r"^tile must"):
        tiled_attention(*heads(), tile)
