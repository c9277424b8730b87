"""The models under test, each made to look like one function of one input.

An invariant asks the same of attention, of a stack and of the whole: this file is where they
differ. A new kind of model enrols by one more function in `KINDS`; a new norm, position scheme or
activation enrols by itself, from `CHOICES` (see tests/test_invariants.py).
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from tfbook import (
    Decoder,
    Encoder,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    causal_mask,
)
from tfbook.fast import accelerate

# pairwise distinct; all but the widths prime, and the head width twice a prime
B, T, S, H, D, SOURCE_VOCAB, V = 3, 7, 11, 5, 6, 17, 13
SIZES = {"d_model": H * D, "n_heads": H, "n_layers": 2, "d_ff": 23, "dropout": 0.0}
GARBAGE = 1e9  # what stands at pads: large, and still squared without overflow
WAYS = {"plain": lambda model: model, "accelerated": accelerate}


@contextmanager
def kernel_of(way):
    """Within it an accelerated model must call PyTorch's fused kernel, a plain one must not; and
    PyTorch has to raise where it would put plain products in the kernel's place.
    """
    attend, calls = F.scaled_dot_product_attention, 0

    def spy(*arguments, **keywords):
        nonlocal calls
        calls += 1
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return attend(*arguments, **keywords)

    F.scaled_dot_product_attention = spy
    try:
        yield
    finally:
        F.scaled_dot_product_attention = attend
    called = "accelerated" if calls else "plain"
    assert called == way, f"a model that is {way} called the kernel {calls} times"


@contextmanager
def with_weights():
    """Let every MultiHeadAttention, inside a stack too, return its weights."""
    forward = MultiHeadAttention.forward

    def with_them(
        self, query, key, value, mask=None, need_weights=False, **keywords
    ):
        return forward(self, query, key, value, mask, True, **keywords)

    MultiHeadAttention.forward = with_them
    try:
        yield
    finally:
        MultiHeadAttention.forward = forward


@dataclass(frozen=True)
class Subject:
    """A model as a function run(x, keep=None, rows=None, cache=None) of its input x: vectors (B,
    length, d_model) or ids (B, length).

    keep: (B, length), False = pad. rows: which rows of the batch x holds, for what else the model
    reads (a memory). aligned: output position t belongs to input position t.
    """

    model: nn.Module
    x: torch.Tensor
    run: Callable
    aligned: bool = True
    embedding: nn.Module | None = None  # where ids become vectors

    def other(self, x):
        """Something else of the same shape."""
        if self.embedding is None:
            return GARBAGE * noise(x, seed=5)
        return (
            x % (self.embedding.tokens.num_embeddings - 1) + 1
        )  # the next id, never the pad

    def put(self, x, other, where):
        """x, with the other's content where it says so."""
        return torch.where(where.view(*where.shape, *[1] * (x.dim() - 2)), other, x)

    def trace(self, x, keep=None):
        """The vectors that x is, or becomes in the embedding, and the output they lead to."""
        if self.embedding is None:
            vectors = x.clone().requires_grad_()
            return vectors, self.run(vectors, keep)
        seen = []
        hook = self.embedding.register_forward_hook(
            lambda *call: seen.append(call[-1])
        )
        output = self.run(x, keep)
        hook.remove()
        return seen[0], output


def noise(like, seed=1):
    """Normal random numbers of the same shape and dtype."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(
        like.dtype
    )


def build(kind, dtype=torch.float64, seed=0, **changes):
    """A model in eval mode, as it starts."""
    torch.manual_seed(seed)
    config = TransformerConfig(SOURCE_VOCAB, V, **{**SIZES, **changes})
    return kind(config).to(dtype).eval()


def grown(model):
    """The model with biases and gains as after some training: at 0 and 1 they would hide bugs."""
    with torch.no_grad():
        for i, parameter in enumerate(
            p for p in model.parameters() if p.dim() == 1
        ):
            parameter += noise(parameter, seed=i) / 5
    return model


def vectors(length, dtype, seed=2):
    return noise(torch.empty(B, length, SIZES["d_model"], dtype=dtype), seed)


def symbols(length, vocab, seed=3):
    """Ids (B, length) without a pad."""
    return torch.randint(
        1, vocab, (B, length), generator=torch.Generator().manual_seed(seed)
    )


def as_mask(keep):
    return None if keep is None else keep[:, None, None]  # (B, 1, 1, length)


def as_causal_mask(x, keep, cache):
    """The mask of a decoder, as `Transformer.decode` makes it."""
    keep = torch.ones(x.shape[:2], dtype=torch.bool) if keep is None else keep
    past = 0 if cache is None else cache.length
    keep = as_mask(keep) if cache is None else cache.extend(as_mask(keep))
    return keep & causal_mask(x.size(1), past)  # (B, 1, T, past + T)


# Each takes a dtype, a way of WAYS and the fields of a config.


def model_of(kind, dtype, way, design):
    return WAYS[way](grown(build(kind, dtype, **design)))


def _attention(config):
    rotary = config.positions == "rotary"
    return MultiHeadAttention(
        config.d_model, config.n_heads, config.dropout, rotary=rotary
    )


def self_attention(dtype, way="plain", **design):
    layer = model_of(_attention, dtype, way, design)

    def run(x, keep=None, rows=None):
        return layer(x, x, x, as_mask(keep))[0]

    return Subject(layer, vectors(T, dtype), run)


def causal_attention(dtype, way="plain", **design):
    layer = model_of(_attention, dtype, way, design)

    def run(x, keep=None, rows=None, cache=None):
        mask = as_causal_mask(x, keep, cache)
        past = None if cache is None else cache.layers[0].past
        return layer(x, x, x, mask, cache=past)[0]

    return Subject(layer, vectors(T, dtype), run)


def attention_to_memory(dtype, way="plain", **design):
    layer = model_of(_attention, dtype, way, design)
    query = vectors(T, dtype, seed=4)

    def run(x, keep=None, rows=None):
        return layer(query if rows is None else query[rows], x, x, as_mask(keep))[0]

    return Subject(layer, vectors(S, dtype), run, aligned=False)


def encoder(dtype, way="plain", **design):
    stack = model_of(Encoder, dtype, way, design)

    def run(x, keep=None, rows=None):
        return stack(x, as_mask(keep))

    return Subject(stack, vectors(T, dtype), run)


def _without_memory(config):
    return Decoder(config, cross_attention=False)


def decoder_only(dtype, way="plain", **design):
    stack = model_of(_without_memory, dtype, way, design)

    def run(x, keep=None, rows=None, cache=None):
        return stack(x, mask=as_causal_mask(x, keep, cache), cache=cache)

    return Subject(stack, vectors(T, dtype), run)


def decoder(dtype, way="plain", **design):
    stack = model_of(Decoder, dtype, way, design)
    memory = vectors(S, dtype, seed=4)
    shown = torch.arange(S) < torch.tensor([[S], [1], [5]])  # (B, S)

    def run(x, keep=None, rows=None, cache=None):
        at = slice(None) if rows is None else rows
        mask = as_causal_mask(x, keep, cache)
        return stack(x, memory[at], mask, as_mask(shown[at]), cache=cache)

    return Subject(stack, vectors(T, dtype), run)


def decoder_memory(dtype, way="plain", **design):
    stack = model_of(Decoder, dtype, way, design)
    target = vectors(T, dtype, seed=4)

    def run(x, keep=None, rows=None):
        mask = causal_mask(T)
        return stack(
            target if rows is None else target[rows], x, mask, as_mask(keep)
        )

    return Subject(stack, vectors(S, dtype), run, aligned=False)


def target(dtype, way="plain", **design):
    model = model_of(Transformer, dtype, way, design)
    source = symbols(S, SOURCE_VOCAB)
    source[1, 4:] = 0

    def run(x, keep=None, rows=None, cache=None):
        ids = x if keep is None else x.masked_fill(~keep, 0)
        read = source if rows is None else source[rows]
        if cache is None:
            return model(read, ids)
        return model.decode(ids, model.encode(read), as_mask(read != 0), cache)

    return Subject(model, symbols(T, V), run, embedding=model.target_embedding)


def source(dtype, way="plain", **design):
    model, written = model_of(Transformer, dtype, way, design), symbols(T, V)

    def run(x, keep=None, rows=None):
        ids = x if keep is None else x.masked_fill(~keep, 0)
        return model(ids, written if rows is None else written[rows])

    return Subject(
        model,
        symbols(S, SOURCE_VOCAB),
        run,
        aligned=False,
        embedding=model.source_embedding,
    )


KINDS = {
    kind.__name__: kind
    for kind in (
        self_attention,
        causal_attention,
        attention_to_memory,
        encoder,
        decoder_only,
        decoder,
        decoder_memory,
        target,
        source,
    )
}
# these take a cache, too
CAUSAL = ("causal_attention", "decoder_only", "decoder", "target")
