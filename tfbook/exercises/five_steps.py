"""Checks for lesson 3.2, attention in the article's five steps."""

import torch

from tfbook.exercises.report import checked, function, number, numbers, tensor
from tfbook.model.attention import scaled_dot_product_attention

WORDS = torch.tensor([1.0, 2.0, 0.0]) * 2**0.5  # the lesson's scores of "sleeps"


@checked
def check_weights(answer):
    """The weights, a list, for products 0, 2 ln 3 and 2 ln 4 at d_k = 4."""
    answer = numbers(answer, "the first weight", "the second", "the third")
    answer = torch.tensor(answer, dtype=torch.float64)
    products = 2 * torch.tensor([1.0, 3.0, 4.0], dtype=torch.float64).log()
    if torch.allclose(answer, products.softmax(-1), atol=6e-3):
        return "divide the products by the root of d_k before the exponential"
    if abs(answer.sum() - 1) > 1e-2:
        return f"weights sum to one, these to {answer.sum():.2f}"
    if not torch.allclose(answer, (products / 2).softmax(-1), atol=6e-3):
        return "what is e to the power of ln 3?"


@checked
def check_attention(answer):
    """A function from query (T, D), key (S, D), value (S, E) to output (T, E)."""
    attention = function(answer, "query", "key", "value")
    generator = torch.Generator().manual_seed(0)
    sizes = (3, 10), (5, 10), (5, 2)
    query, key, value = (
        torch.randn(s, generator=generator, dtype=torch.float64) * 2 for s in sizes
    )
    output = attention(query, key, value)
    wanted, _ = scaled_dot_product_attention(
        query[None, None], key[None, None], value[None, None]
    )
    tensor(output, wanted[0, 0], shape="(T, E)")
    if torch.allclose(output, wanted[0, 0]):
        return None
    scores = query @ key.T / 10**0.5  # (T, S)
    slips = {
        "a softmax over the queries: each row of weights must sum to one": scores.softmax(
            0
        ),
        "the scores are not divided by the root of d_k": (scores * 10**0.5).softmax(
            1
        ),
        "divide by the root of d_k, not by d_k": (scores / 10**0.5).softmax(1),
        "the scores went in without a softmax": scores,
    }
    for hint, weights in slips.items():
        if torch.allclose(output, weights @ value):  # (T, E)
            return hint
    return "the numbers differ from softmax(query @ key.T / sqrt(d_k)) @ value"


@checked
def check_sharpness(answer):
    """The factor on the scores of "sleeps" that gives the cat a weight of 99 %."""
    answer = number(answer)
    if not 0 <= answer < 100:
        return "give a number from 0 to 100"
    cat = (answer * WORDS).softmax(-1)[1].item()
    if abs(cat - 0.99) > 1e-3:
        return f"with {answer:.2f} the cat gets {cat:.1%}"
