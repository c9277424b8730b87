"""Sequences of different lengths, made into rectangles and batches."""

import random

import pytest
import torch

from tfbook.data.batching import bucket, pad_batch, pad_pairs
from tfbook.data.vocabulary import PAD, START, STOP


def test_padding():
    assert pad_batch([[3], [4, 5, 6]]).tolist() == [[3, PAD, PAD], [4, 5, 6]]
    source, target = pad_pairs([([7, 8], [9]), ([3], [4, 5])])
    assert source.tolist() == [[7, 8], [3, PAD]]
    assert target.tolist() == [[START, 9, STOP, PAD], [START, 4, 5, STOP]]
    assert source.dtype == target.dtype == torch.int64
    for nothing in ([], [[]], [[3], []]):
        with pytest.raises(
            ValueError, match="sequences must be a list of non-empty lists, got"
        ):
            pad_batch(nothing)


def some_pairs(count=211):
    lengths = random.Random(0)
    return [
        ([3] * lengths.randint(1, 17), [4] * lengths.randint(1, 13))
        for _ in range(count)
    ]


@pytest.mark.parametrize("tokens", [32, 101, 997, 10**6])
def test_bucket_takes_every_pair_once_and_keeps_the_bound(tokens):
    pairs = some_pairs()
    batches = bucket(pairs, tokens, torch.Generator().manual_seed(3))
    assert sorted(i for batch in batches for i in batch) == list(range(len(pairs)))
    for batch in batches:
        source, target = pad_pairs([pairs[i] for i in batch])
        assert source.numel() + target.numel() <= tokens
    assert (len(batches) == 1) == (tokens == 10**6)


def test_similar_lengths_are_together():
    """Few of the source's places hold pads; in the order given, nearly half would."""
    pairs = some_pairs()
    used = sum(len(source) for source, _ in pairs)
    in_order = [
        range(first, min(first + 20, len(pairs)))
        for first in range(0, len(pairs), 20)
    ]
    bucketed = bucket(pairs, 500, torch.Generator().manual_seed(0))
    for batches, waste in ((bucketed, (0.0, 0.15)), (in_order, (0.4, 0.6))):
        room = sum(
            len(batch) * max(len(pairs[i][0]) for i in batch) for batch in batches
        )
        assert waste[0] <= 1 - used / room <= waste[1]


def test_bucket_is_decided_by_its_generator():
    pairs = some_pairs()
    first, again, other = (
        bucket(pairs, 101, torch.Generator().manual_seed(seed))
        for seed in (5, 5, 6)
    )
    assert first == again != other
    company = [
        {frozenset(batch) for batch in batches} for batches in (first, other)
    ]
    assert company[0] != company[1], "not only the order of the batches"
    generator = torch.Generator().manual_seed(5)
    assert bucket(pairs, 101, generator) != bucket(pairs, 101, generator), (
        "each pass is new"
    )
    widths = [max(len(pairs[i][0]) for i in batch) for batch in first]
    assert widths != sorted(widths), "short batches must not all come first"


def test_bucket_refuses_what_it_cannot_batch():
    generator = torch.Generator()
    pairs = [([3] * 5, [4] * 3), ([3], [4])]
    assert len(bucket(pairs, 10, generator)) == 2
    with pytest.raises(
        ValueError, match="tokens must hold the longest pair, 10 ids, got 9"
    ):
        bucket(pairs, 9, generator)
    with pytest.raises(ValueError, match="pairs must hold at least one pair, got"):
        bucket([], 9, generator)
