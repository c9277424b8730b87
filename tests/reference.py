"""What a comparison with PyTorch's own layers needs: random configurations, and which parameter of
ours is which of theirs.
"""

import functools
import random

import torch
import torch.nn.functional as F
from torch import nn

import tfbook
from tfbook import causal_mask, padding_mask

PRIMES = (2, 3, 5, 7, 11, 13)
# as PyTorch's layers take them; the tanh form has no name there
ACTIVATIONS = {
    "relu": {"name": "relu", "function": F.relu, "module": nn.ReLU()},
    "gelu": {"name": "gelu", "function": F.gelu, "module": nn.GELU()},
    "gelu_tanh": {
        "function": functools.partial(F.gelu, approximate="tanh"),
        "module": nn.GELU("tanh"),
    },
}
MEMORY_MASKS = ("none", "padding", "arbitrary", "each head")
MASKS = (*MEMORY_MASKS, "causal", "both")
DESIGN = {
    "norm": ("pre", "post"),
    "activation": tuple(ACTIVATIONS),
    "given_as": ("name", "function", "module"),
    "batch_first": (True, False),
    "n_layers": (1, 2),
}


def has_activation(case):
    return case["given_as"] in ACTIVATIONS[case["activation"]]


class Draw(random.Random):
    """The random sizes of one configuration, no two of them alike, beside what was chosen for
    it: the fields of DESIGN and others.
    """

    def __init__(self, seed, chosen):
        super().__init__(seed)
        torch.manual_seed(seed)
        self.chosen = chosen
        self.n_heads = self.choice((2, 3, 5))
        others = [p for p in PRIMES if p != self.n_heads]
        self.batch, self.target, self.source = self.sample(others, 3)
        self.d_model = self.n_heads * 2 * self.choice((2, 3, 5, 7, 11))
        self.d_ff = self.choice((17, 19, 23, 29))

    def __getitem__(self, name):
        return self.chosen[name]

    def vectors(self, length, width=None):
        shape = (self.batch, length, width or self.d_model)
        return torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def config(self, **changes):
        fields = ("norm", "activation", "n_layers")
        design = {name: self[name] for name in fields} | changes
        return tfbook.TransformerConfig(
            d_model=self.d_model,
            n_heads=self.n_heads,
            d_ff=self.d_ff,
            dropout=0.0,
            **design,
        )

    def torch_design(self):
        """The same for a layer of PyTorch's."""
        return {
            "d_model": self.d_model,
            "nhead": self.n_heads,
            "dim_feedforward": self.d_ff,
            "dropout": 0.0,
            "activation": ACTIVATIONS[self["activation"]][self["given_as"]],
            "norm_first": self["norm"] == "pre",
            "batch_first": self["batch_first"],
            "dtype": torch.float64,
        }

    def masks(self, kind, queries, keys):
        """One mask in our sense, (mask), and in PyTorch's, (attn_mask, key_padding_mask). Each
        query keeps a key: without one, PyTorch's layers give NaN.
        """
        may = torch.ones(1, 1, 1, 1, dtype=torch.bool)
        theirs = padding = None
        if kind in ("padding", "both"):
            ids = torch.ones(self.batch, keys, dtype=torch.long)
            for row in ids:
                row[self.randint(1, keys) :] = 0
            may, padding = padding_mask(ids), ids == 0
        if kind in ("causal", "both"):
            theirs = ~causal_mask(queries)[0, 0]
            may = may & causal_mask(queries)
        if kind in ("arbitrary", "each head"):
            shape = (1, 1) if kind == "arbitrary" else (self.batch, self.n_heads)
            may = torch.rand(*shape, queries, keys) < self.uniform(0.2, 0.9)
            may[..., torch.arange(queries), torch.randint(keys, (queries,))] = True
            theirs = ~may[0, 0] if kind == "arbitrary" else ~may.flatten(0, 1)
        return (None if kind == "none" else may), (theirs, padding)


# Names. Each function pairs our parameters with the rows of PyTorch's that they equal.


def same(ours, theirs):
    for kind in ("weight", "bias"):
        yield getattr(ours, kind), getattr(theirs, kind), slice(None)


def attention_names(ours, theirs):
    for i, name in enumerate(
        ("query_projection", "key_projection", "value_projection")
    ):
        rows = slice(i * theirs.embed_dim, (i + 1) * theirs.embed_dim)
        yield getattr(ours, name).weight, theirs.in_proj_weight, rows
        yield getattr(ours, name).bias, theirs.in_proj_bias, rows
    yield from same(ours.output_projection, theirs.out_proj)


def stack_names(ours, theirs):
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        yield from attention_names(mine.self_attention, other.self_attn)
        yield from same(mine.feed_forward.linear_1, other.linear1)
        yield from same(mine.feed_forward.linear_2, other.linear2)
        yield from same(mine.add_norm[0].norm, other.norm1)
        yield from same(mine.add_norm[1].norm, other.norm2)
        if hasattr(other, "multihead_attn"):
            yield from attention_names(mine.cross_attention, other.multihead_attn)
            yield from same(mine.add_norm[2].norm, other.norm3)
    if theirs.norm is not None:
        yield from same(ours.norm, theirs.norm)


def recurrent_names(ours, theirs):
    yield ours.from_input.weight, theirs.weight_ih_l0, slice(None)
    yield ours.from_input.bias, theirs.bias_ih_l0, slice(None)
    yield ours.from_hidden.weight, theirs.weight_hh_l0, slice(None)
    yield ours.from_hidden.bias, theirs.bias_hh_l0, slice(None)


def shaken(model):
    """The model, with noise in its gains and biases: all 1 and 0, they would hide a swap."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += torch.randn_like(parameter) / 5
    return model


def copied(names):
    """The pairs, after PyTorch's values have been copied into ours."""
    pairs = list(names)
    with torch.no_grad():
        for ours, theirs, rows in pairs:
            ours.copy_(theirs[rows])
    return pairs


def assert_complete(pairs, ours, theirs):
    """No parameter of either side is left out, and none is taken twice."""
    assert sorted(id(p) for p, _, _ in pairs) == sorted(
        id(p) for p in ours.parameters()
    )
    taken = sum(p.numel() for p, _, _ in pairs)
    assert taken == sum(p.numel() for p in theirs.parameters())


def differences(ours, theirs, inputs, pairs=()):
    """The largest difference between two lists of outputs, and between their gradients."""
    apart = max(
        (a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True)
    )
    noise = [torch.randn_like(output) for output in ours]
    gradients = []
    for outputs, parameters in (
        (ours, [p for p, _, _ in pairs]),
        (theirs, [p for _, p, _ in pairs]),
    ):
        loss = sum(
            (output * n).sum() for output, n in zip(outputs, noise, strict=True)
        )
        found = torch.autograd.grad(loss, [*inputs, *parameters])
        gradients.append((found[: len(inputs)], found[len(inputs) :]))
    (ours_in, ours_at), (theirs_in, theirs_at) = gradients
    theirs_at = [g[rows] for g, (_, _, rows) in zip(theirs_at, pairs, strict=True)]
    wanted = zip((*ours_in, *ours_at), (*theirs_in, *theirs_at), strict=True)
    assert all(g.any() for g in ours_in), (
        "an input without a gradient would prove nothing"
    )
    return apart, max((a - b).abs().max().item() for a, b in wanted)
