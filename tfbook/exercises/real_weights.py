"""Checks for lesson 4.11, real weights in your Transformer."""

import torch

from tfbook.exercises.report import checked


@checked
def check_share(answer):
    """The share of MiniLM's parameters that the table of pieces holds."""
    if not isinstance(answer, float):
        return "give a share between 0 and 1, as a float"
    if 0.46 <= answer < 0.5:
        return "that is the share of all the rest"
    if not 0.5 <= answer <= 0.54:
        return "pieces times d_model, divided by all parameters"


@checked
def check_head_by_head(answer):
    """A function from (3·d_model, d_model), stored head by head, and n_heads to the
    matrices of query, key and value.
    """
    for n_heads, d_head in ((1, 2), (3, 2), (5, 4)):
        d_model = n_heads * d_head
        parts = torch.randn(3, n_heads, d_head, d_model)
        weight = parts.transpose(0, 1).flatten(0, 2)  # (3·d_model, d_model)
        found = answer(weight, n_heads)
        shapes = [tuple(getattr(part, "shape", ())) for part in found]
        if shapes != [(d_model, d_model)] * 3:
            return f"three matrices {(d_model, d_model)} are wanted, not {shapes}"
        wanted = parts.flatten(1, 2)  # (3, d_model, d_model)
        if all(map(torch.equal, found, wanted)):
            continue
        if all(map(torch.equal, found, weight.chunk(3))):
            return "chunk(3) cuts between heads, not between query, key and value"
        order = [
            any(torch.equal(part, other) for other in wanted) for part in found
        ]
        if all(order):
            return "the order is query, key, value"
        return "first cut the rows by head, then by which of the three"


@checked
def check_silence(answer):
    """When the first and the second word begin behind two seconds of silence."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return "give a pair: the seconds of the first and of the second word"
    first, second = answer
    if not 1.9 < second < 2.8:
        return "the second word comes more than two seconds later: was the sound longer, too?"
    if first > 0.1:
        return (
            "run it: the path begins in the first corner, whatever is heard there"
        )
