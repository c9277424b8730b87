"""The recall task: what is asked, and that nothing but its place gives it away."""

import pytest
import torch

from tfbook.tasks.recall import ASK, N_SYMBOLS, PAD, VOCAB, recall


@pytest.mark.parametrize("n, distance", [(1, 0), (7, 1), (11, 23)])
def test_the_truth_is_the_first_symbol_and_the_last_id_asks(n, distance):
    ids, labels = recall(n, distance, seed=0)
    assert ids.shape == (n, distance + 2) and labels.shape == (n,)
    assert ids.dtype == labels.dtype == torch.int64
    assert torch.equal(labels, ids[:, 0]) and bool((ids[:, -1] == ASK).all())
    assert bool((ids[:, :-1] != ASK).all()) and bool((ids != PAD).all())
    assert bool((ids >= 0).all()) and bool((ids < VOCAB).all())


def test_every_symbol_is_as_frequent_at_every_place_and_places_are_independent():
    ids, labels = recall(20_000, 3, seed=0)
    for place in range(4):
        counts = torch.bincount(ids[:, place], minlength=VOCAB)[1:ASK]
        assert len(counts) == N_SYMBOLS
        # five standard deviations of a count
        assert (counts - 2500).abs().max() < 5 * (2500 * 7 / 8) ** 0.5
    agree = (ids[:, 1:-1] == labels[:, None]).double().mean(dim=0)  # (distance,)
    assert (agree - 1 / 8).abs().max() < 5 * (7 / 64 / 20_000) ** 0.5


def test_a_seed_decides_and_leaves_the_global_draws_alone():
    torch.manual_seed(0)
    wanted = torch.randn(3)
    torch.manual_seed(0)
    first, again, other = (recall(13, 5, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.randn(3), wanted)


@pytest.mark.parametrize(
    "n, distance, message",
    [(0, 3, "n must .* got 0"), (3, -1, "distance .* got -1")],
)
def test_bad_sizes(n, distance, message):
    with pytest.raises(ValueError, match=message):
        recall(n, distance, seed=0)
