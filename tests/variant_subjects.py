"""Models of `tfbook.variants` as subjects of the invariants, see tests/subjects.py."""

import torch
from subjects import (
    SIZES,
    SOURCE_VOCAB,
    WAYS,
    B,
    S,
    Subject,
    T,
    V,
    as_mask,
    grown,
    noise,
    symbols,
)

from tfbook import Transformer, causal_mask
from tfbook.variants import BlockConfig, LanguageModel, modernise
from tfbook.variants.block import mixer_of

# six heads of 10, which share two heads of keys; all other sizes as in tests/subjects.py
GROUPED = {"d_model": 36, "n_heads": 6, "n_key_heads": 2, "d_attention": 60}
TODAY = {
    "rms_norm": True,
    "swiglu": True,
    "bias": False,
    "positions": "rotary",
    "rotary_base": 50_000.0,
    "qk_norm": True,
    "scale_residuals": True,
    "tie_embeddings": False,
    **GROUPED,
}
MIXERS = {  # with what suits each
    "attention": {"positions": "rotary", **GROUPED},
    "local": {"mixer": "local", "window": 3, "positions": "rotary", **GROUPED},
    "linear": {"mixer": "linear", **GROUPED},
    "state_space": {"mixer": "state_space"},
    "experts": {"n_experts": 3, "top_k": 2, "swiglu": True},
    "everything": {
        **TODAY,
        "mixer": "local",
        "window": 3,
        "sink": True,
        "n_experts": 3,
        "top_k": 2,
    },
}


def config(**changes):
    vocabs = {"source_vocab": SOURCE_VOCAB, "target_vocab": V}
    return BlockConfig(**{**vocabs, **SIZES, **changes})


def built(kind, dtype=torch.float64, seed=0, **changes):
    """A model in eval mode, with gains and biases as after some training."""
    torch.manual_seed(seed)
    return grown(kind(config(**changes)).to(dtype).eval())


def language_model(dtype, way="plain", **design):
    """As a subject: what stands at a pad is another symbol, since a GPT has no pads."""
    model = WAYS[way](built(LanguageModel, dtype, **design))

    def run(x, keep=None, rows=None, cache=None):
        ids = x if keep is None else x.masked_fill(~keep, 0)
        return model.decode(ids, cache=cache)

    return Subject(model, symbols(T, V), run, embedding=model.target_embedding)


def causal_mixer(dtype, **design):
    """One layer's mixer, alone."""
    layer = built(mixer_of, dtype, **design)

    def run(x, keep=None, rows=None, cache=None):
        if cache is None:
            return layer(x, x, x, causal_mask(x.size(1)))[0]
        mask = causal_mask(x.size(1), cache.length)
        cache.extend(torch.ones(len(x), 1, 1, x.size(1), dtype=torch.bool))
        memory = cache.layers[0]
        if not memory.past.length:
            memory.past = layer.new_past()
        return layer(x, x, x, mask, cache=memory.past)[0]

    x = noise(torch.empty(B, T, layer.d_model, dtype=dtype), seed=2)
    return Subject(layer, x, run)


def modern_transformer(config):
    return modernise(Transformer(config))


def modern_target(dtype, **design):
    model = built(modern_transformer, dtype, **design)
    source = symbols(S, SOURCE_VOCAB)
    source[1, 4:] = 0

    def run(x, keep=None, rows=None, cache=None):
        ids = x if keep is None else x.masked_fill(~keep, 0)
        read = source if rows is None else source[rows]
        mask = as_mask(read != 0)
        return model.decode(ids, model.encode(read), mask, cache)

    return Subject(model, symbols(T, V), run, embedding=model.target_embedding)


def modern_source(dtype, **design):
    model, written = built(modern_transformer, dtype, **design), symbols(T, V)

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
