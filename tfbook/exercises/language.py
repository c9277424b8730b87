"""Checks for lesson 4.7, language."""

import math

import torch

from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    number,
    numbers,
    share,
)


@checked
def check_costs(answer):
    """The bits per byte of model X, 3.1 nats an id of 4.2 bytes, and of model Y, 0.9 nats
    a byte, as a pair.
    """
    answer = numbers(answer, "the bits per byte of X", "those of Y")
    wanted = (3.1 / math.log(2) / 4.2, 0.9 / math.log(2))
    if math.isclose(answer[1], 0.9, rel_tol=0.02):
        return "nats are not bits: divide by ln 2"
    if math.isclose(answer[0], 3.1 / math.log(2), rel_tol=0.02):
        return "these are bits an id: X has 4.2 bytes to an id"
    if any(
        not math.isclose(a, w, rel_tol=0.02)
        for a, w in zip(answer, wanted, strict=True)
    ):
        return "divide the nats an id by ln 2 and by the bytes an id"


@checked
def check_temperature(answer):
    """A function from logits (V,) and bits to the temperature at which their softmax has
    that entropy.
    """
    temperature = function(answer, "logits", "bits")
    for seed, size, bits in ((0, 5, 1.0), (1, 13, 3.5), (2, 17, 0.2), (3, 7, 2.7)):
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(size, generator=generator)
        before = logits.clone()
        result = number(temperature(logits, bits), RESULT)
        if not torch.equal(logits, before):
            return "the reader's logits were changed: work on a copy"
        if result <= 0:
            return f"a temperature is a number above 0, got {result:g}"
        reached = _entropy(logits / result)
        if abs(reached - bits) < 0.01 * bits:
            continue
        if abs(reached * math.log(2) - bits) < 0.01 * bits:
            return "that entropy is in nats: use the logarithm to base 2"
        if abs(_entropy(logits * result) - bits) < 0.01 * bits:
            return "the temperature divides the logits"
        return f"asked for {bits} bits, at your temperature there are {reached:.2f}"


def _entropy(logits):
    """Of their softmax, in bits."""
    return torch.special.entr(logits.softmax(-1)).sum().item() / math.log(2)


COPIES = (  # texts, files, the share of the lines, and what it means to have another
    (
        ["return self.width\nreturn self.depth\n"],
        {"a.py": "x = 1\nreturn self.width\n"},
        (1, 2),
        "divide the copied lines by all lines of at least 12 characters",
    ),
    (
        ["        return self.width\n    return self.depth\n"],
        {"a.py": "\treturn self.width  \n"},
        (1, 2),
        "take the spaces off on both sides before you compare",
    ),
    (
        ["x = 1\n          y = 2\n\nreturn False\nreturn self.depth\n"],
        {"a.py": "return False\n"},
        (1, 2),
        "a line counts from 12 characters on, without the spaces around it",
    ),
    (
        ["return self.width\nreturn self.depth\n"],
        {"a.py": "return self.width * 2\nreturn self.depth\n"},
        (1, 2),
        "a part of a line is no copy: compare whole lines",
    ),
    (
        ["return self.width\nreturn self.depth\n", "return self.width\n"],
        {"a.py": "x = 1\n", "b.py": "return self.width\n"},
        (2, 3),
        "take the lines of all files, and each written line as often as it is written",
    ),
)


@checked
def check_copied(answer):
    """A function from texts, a list, and files, path → text, to the share of the texts'
    longer lines that stand in the files.
    """
    copied_share = function(answer, "texts", "files")
    for texts, files, (copied, looked_at), hint in COPIES:
        result = share(copied_share(list(texts), dict(files)), RESULT)
        if not math.isclose(result, copied / looked_at):
            return hint
