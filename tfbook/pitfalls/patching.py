"""How a bug is patched in and taken out again, and the home-made parts that several bugs share."""

import math
import sys
from contextlib import ExitStack, contextmanager

import torch.nn.functional as F

from tfbook.model.attention import MultiHeadAttention, scaled_dot_product_attention
from tfbook.model.layers import AddNorm


def pitfall(number):
    """Give a function, which returns a context manager, the number of its topic."""

    def numbered(function):
        function.number = number
        return function

    return numbered


@contextmanager
def patched(owner, name, replacement):
    """Replace owner.name; afterwards, whatever happened, it is what it was."""
    owned, before = name in vars(owner), vars(owner).get(name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if owned:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


@contextmanager
def replaced(*pairs):
    """For each pair (function, replacement): patch the function in every module of tfbook that
    imported it by name, except in the gallery itself. Raises RuntimeError when another bug has
    replaced the function already.
    """
    modules = [
        m for name, m in sys.modules.items() if name.split(".")[0] == "tfbook"
    ]
    with ExitStack() as patches:
        for function, replacement in pairs:
            name = function.__name__
            if getattr(sys.modules[function.__module__], name) is not function:
                raise RuntimeError(
                    f"{name} must be itself to carry a bug, it has one already"
                )
            for module in modules:
                outside = not module.__name__.startswith("tfbook.pitfalls.")
                if outside and getattr(module, name, None) is function:
                    patches.enter_context(patched(module, name, replacement))
        yield


@contextmanager
def attending(attention):
    """Let attention be this function, which returns output and weights."""
    kernel = staticmethod(attention)
    with (
        replaced((scaled_dot_product_attention, attention)),
        patched(MultiHeadAttention, "inner_attention", kernel),
    ):
        yield


def homemade_attention(fill, over=-1):
    """Attention as most would write it first: masked scores become `fill`, the softmax runs over
    the axis `over`, and rows without any key are not handled.
    """

    def attention(query, key, value, mask=None, dropout=0.0):
        scores = query @ key.mT / math.sqrt(query.size(-1))  # (B, H, T, S)
        if mask is not None:
            scores = scores.masked_fill(~mask, fill)
        weights = F.dropout(scores.softmax(over), dropout)  # (B, H, T, S)
        return weights @ value, weights  # (B, H, T, D), (B, H, T, S)

    return attention


def normalising(normalise):
    """Let Add & Norm use normalise(x, eps), then its norm's own gain and bias."""

    def forward(self, x, sublayer):
        def norm(x):
            return normalise(x, self.norm.eps) * self.norm.weight + self.norm.bias

        if self.pre:
            return x + self.dropout(sublayer(norm(x)))  # (B, T, d_model)
        return norm(x + self.dropout(sublayer(x)))  # (B, T, d_model)

    return patched(AddNorm, "forward", forward)
