"""Checks for lesson 4.11, real weights in your Transformer."""

import torch

from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    items,
    numbers,
    share,
    tensor,
)


@checked
def check_share(answer):
    """The share of MiniLM's parameters that the table of pieces holds."""
    answer = share(answer)
    if 0.46 <= answer < 0.5:
        return "that is the share of all the rest"
    if not 0.5 <= answer <= 0.54:
        return "pieces times d_model, divided by all parameters"


@checked
def check_head_by_head(answer):
    """A function from (3·d_model, d_model), stored head by head, and n_heads to the
    matrices of query, key and value.
    """
    split = function(answer, "weight", "n_heads")
    for n_heads, d_head in ((1, 2), (3, 2), (5, 4)):
        d_model = n_heads * d_head
        parts = torch.randn(3, n_heads, d_head, d_model)
        weight = parts.transpose(0, 1).flatten(0, 2)  # (3·d_model, d_model)
        wanted = parts.flatten(1, 2)  # (3, d_model, d_model)
        result = items(split(weight, n_heads), "three matrices", RESULT)
        if len(result) != 3:
            return f"return three matrices, query, key and value; got {len(result)}"
        for name, part in zip(("query", "key", "value"), result, strict=True):
            tensor(part, wanted[0], name, shape="(d_model, d_model)")
        if all(map(torch.equal, result, wanted)):
            continue
        if all(map(torch.equal, result, weight.chunk(3))):
            return "chunk(3) cuts between heads, not between query, key and value"
        order = [
            any(torch.equal(part, other) for other in wanted) for part in result
        ]
        if all(order):
            return "the order is query, key, value"
        return "first cut the rows by head, then by which of the three"


@checked
def check_silence(answer):
    """When the first and the second word begin behind two seconds of silence."""
    first, second = numbers(
        answer,
        "the second at which the first word begins",
        "that of the second word",
    )
    if not 1.9 < second < 2.8:
        return "the second word comes more than two seconds later: was the sound longer, too?"
    if first > 0.1:
        return (
            "run it: the path begins in the first corner, whatever is heard there"
        )
