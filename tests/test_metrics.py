"""Scores, against a definition written another way and against jiwer."""

import functools
import random

import jiwer
import pytest
import torch
from scipy.stats import binomtest

from tfbook.metrics import edit_distance, error_rates, sign_test, wilson_interval
from tfbook.tasks.pronunciation.dictionary import PHONES


@functools.cache
def recursive_distance(a, b):
    """Levenshtein's definition, word for word."""
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return recursive_distance(a[1:], b[1:])
    shorter = ((a[1:], b), (a, b[1:]), (a[1:], b[1:]))
    return 1 + min(recursive_distance(*pair) for pair in shorter)


def phones(rng, least=0, most=7, symbols=PHONES[:5]):
    return tuple(rng.choices(symbols, k=rng.randint(least, most)))


def test_edit_distance_is_levenshteins():
    rng = random.Random(0)
    for _ in range(500):
        a, b = phones(rng), phones(rng)
        assert edit_distance(a, b) == recursive_distance(a, b), (a, b)


def test_edit_distance_takes_any_sequences():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], "abc") == edit_distance("abc", ()) == 3
    assert edit_distance(list("abc"), "abc") == 0


def test_phone_error_rate_is_jiwers_over_the_variants_chosen():
    """Each word's variant with the fewest edits; at equal edits the longest. 20 sets of words."""
    for seed in range(20):
        rng = random.Random(seed)
        references = [
            [phones(rng, 1) for _ in range(rng.randint(1, 3))] for _ in range(29)
        ]
        predictions = [phones(rng, 1) for _ in references]
        chosen = []
        for prediction, variants in zip(predictions, references, strict=True):
            fewest = min(
                recursive_distance(prediction, variant) for variant in variants
            )
            tied = [
                v for v in variants if recursive_distance(prediction, v) == fewest
            ]
            chosen.append(max(tied, key=len))
        per, wer = error_rates(predictions, references)
        said, meant = (
            [" ".join(x) for x in side] for side in (predictions, chosen)
        )
        assert per == pytest.approx(jiwer.wer(meant, said), abs=1e-12)
        wrong = sum(
            tuple(p) not in v for p, v in zip(predictions, references, strict=True)
        )
        assert wer == pytest.approx(wrong / 29, abs=1e-12)


def test_ties_take_the_longest_variant():
    """One edit from both: the two-phone variant would make it a half, the first listed too."""
    variants = [("K", "AE"), ("K", "AE", "T", "S")]
    for listed in (variants, variants[::-1]):
        assert error_rates([("K", "AE", "T")], [listed]) == (1 / 4, 1.0)


def test_rates_are_of_all_words_together():
    """Edits over lengths, summed before they are divided; an empty answer is all deletions."""
    references = [[("K", "AE", "T")], [("AH",), ("EY",)], [("D", "AO", "G")]]
    assert error_rates([["K", "AE", "T"], ["EY"], []], references) == (3 / 7, 1 / 3)
    assert error_rates([["K", "K", "K", "K", "K"]], [[("AH",)]]) == (5.0, 1.0)
    assert error_rates([["AH"]], [[("AH",)]]) == (0.0, 0.0)


@pytest.mark.parametrize(
    "predictions, references",
    [
        ([], []),
        ([["K"]], []),
        ([["K"]], [[("K",)], [("T",)]]),
        ([["K"]], [[]]),
        ([["K"], ["T"]], [[("K",)], []]),
        ([["K"]], [[()]]),
        ([["K"]], [[("K",), ()]]),
    ],
)
def test_what_cannot_be_scored(predictions, references):
    found = f"got {len(predictions)} predictions and {len(references)} references"
    with pytest.raises(ValueError, match=f"references must hold .*{found}"):
        error_rates(predictions, references)


@pytest.mark.parametrize(
    "b, c", [(5, 0), (3, 9), (9, 3), (11, 11), (0, 0), (349, 152)]
)
def test_the_sign_test_is_the_tail_of_a_fair_coin(b, c):
    coin = torch.distributions.Binomial(
        b + c, torch.tensor(0.5, dtype=torch.float64)
    )
    few = torch.arange(min(b, c) + 1.0, dtype=torch.float64)
    tail = coin.log_prob(few).exp().sum().item() if b + c else 1.0
    assert sign_test(b, c) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


@pytest.mark.parametrize(
    "right, n", [(0, 1), (1, 1), (0, 50), (50, 50), (7, 11), (3639, 3674)]
)
def test_wilson_interval_is_scipys(right, n):
    theirs = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right, n, 1.959963984540054) == pytest.approx(
        theirs, abs=1e-12
    )
    low, high = wilson_interval(right, n)
    assert low <= right / n <= high and (low, high) == pytest.approx(
        theirs, abs=1e-4
    )


@pytest.mark.parametrize("right, n", [(-1, 5), (6, 5), (0, 0)])
def test_wilson_interval_refuses_what_is_no_share(right, n):
    with pytest.raises(
        ValueError, match=f"right must lie in 0 to n={n}.* got {right}"
    ):
        wilson_interval(right, n)


@pytest.mark.parametrize("b, c, error", [(-1, 3, ValueError), (2, 0.5, TypeError)])
def test_the_sign_test_takes_counts(b, c, error):
    with pytest.raises(error, match=r"^[bc] must be"):
        sign_test(b, c)
