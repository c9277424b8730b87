"""Bad input ends in a ValueError or TypeError that names the argument and both values, and looking
for it costs a training step next to nothing.
"""

import functools
import sys

import pytest
import torch
from subjects import SOURCE_VOCAB, B, H, S, T, V, build, symbols, vectors
from torch.utils._python_dispatch import TorchDispatchMode

from tfbook import (
    LSTM,
    RNN,
    Decoder,
    Encoder,
    KeyValueCache,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    beam_search,
    causal_mask,
    greedy_decode,
    padding_mask,
    sample,
    scaled_dot_product_attention,
)
from tfbook.fast import accelerate
from tfbook.model.layers import InputEmbedding
from tfbook.model.positions import apply_rotary
from tfbook.training.loop import sequence_loss

x, memory = vectors(T, torch.float32), vectors(S, torch.float32)
source, target = symbols(S, SOURCE_VOCAB), symbols(T, V)
yes = torch.ones(B, 1, T, T, dtype=torch.bool)


def model(**changes):
    return build(Transformer, torch.float32, **changes)


def attention(query=x, key=x, value=x, mask=None, **keywords):
    return build(lambda c: MultiHeadAttention(30, H), torch.float32)(
        query, key, value, mask, **keywords
    )


def encoder(x, mask=None):
    return build(Encoder, torch.float32)(x, mask)


def decoder(x, memory=memory, mask=None, memory_mask=None, cross_attention=True):
    stack = build(lambda config: Decoder(config, cross_attention), torch.float32)
    return stack(x, memory, mask, memory_mask)


def config(**fields):
    return TransformerConfig(SOURCE_VOCAB, V, **fields)


def function(query=(B, H, T, 6), key=(B, H, S, 6), value=(B, H, S, 6), mask=None):
    """The attention function on tensors, or on ones of these shapes."""
    inputs = (
        torch.ones(x) if isinstance(x, tuple) else x for x in (query, key, value)
    )
    return scaled_dot_product_attention(*inputs, mask)


def continued(first, then, **changes):
    """Decode in two steps through a cache."""
    whole, cache = model(**changes), KeyValueCache()
    whole.decode(first, whole.encode(source), cache=cache)
    return whole.decode(then, whole.encode(source[: len(then)]), cache=cache)


def greedy(model_changes=None, **changes):
    arguments = {"source": source, "start": 1, "stop": 2, "max_length": 5} | changes
    return greedy_decode(model(**model_changes or {}), **arguments)


def beams(**changes):
    return beam_search(model(), source, 1, 2, 5, **changes)


def samples(**changes):
    return sample(model(), source, 1, 2, 5, **changes)


def changed(ids, value):
    ids = ids.clone()
    ids[1, 2] = value
    return ids


# what is wrong: (call, error, what the message must say)
RANK_AND_SHAPE = {
    "encoder: ids for vectors": (
        lambda: encoder(source),
        ValueError,
        r"x .*30\).*got \(3, 11\)",
    ),
    "encoder: width": (
        lambda: encoder(x[..., 1:]),
        ValueError,
        r"x .*30\).*got \(3, 7, 29\)",
    ),
    "decoder: rank": (
        lambda: decoder(x[0]),
        ValueError,
        r"x .*30\).*got \(7, 30\)",
    ),
    "decoder: memory rank": (
        lambda: decoder(x, memory[0]),
        ValueError,
        r"memory .*\(11, 30\)",
    ),
    "decoder: memory batch": (
        lambda: decoder(x, memory[:2]),
        ValueError,
        "memory must have the target's batch of 3, got 2",
    ),
    "decoder: no memory": (
        lambda: decoder(x, None),
        ValueError,
        "memory .*got None",
    ),
    "decoder: memory not wanted": (
        lambda: decoder(x, cross_attention=False),
        ValueError,
        r"memory must be None .*got \(3, 11, 30\)",
    ),
    "attention: query rank": (
        lambda: attention(x[0]),
        ValueError,
        r"query .*got \(7, 30\)",
    ),
    "attention: key width": (
        lambda: attention(key=x[..., :29]),
        ValueError,
        r"key .*30\).*got \(3, 7, 29\)",
    ),
    "attention: key batch": (
        lambda: attention(key=x[:2]),
        ValueError,
        r"key .*query's B.*query \(3, 5, 7, 6\) and key \(2, 5, 7, 6\)",
    ),
    "attention: value length": (
        lambda: attention(value=x[:, :5]),
        ValueError,
        r"value .*S.*key \(3, 5, 7, 6\) and value \(3, 5, 5, 6\)",
    ),
    "function: query rank": (
        lambda: function((B, T, 6)),
        ValueError,
        r"query .*\(3, 7, 6\)",
    ),
    "function: heads": (
        lambda: function(key=(B, 2, S, 6)),
        ValueError,
        r"key .*H.*\(3, 5, 7, 6\) and key \(3, 2, 11, 6\)",
    ),
    "function: key width": (
        lambda: function(key=(B, H, S, 10)),
        ValueError,
        r"key .*D, got query \(3, 5, 7, 6\) and key \(3, 5, 11, 10\)",
    ),
    "function: value length": (
        lambda: function(value=(B, H, T, 6)),
        ValueError,
        r"value .*\(3, 5, 11, 6\) and value \(3, 5, 7, 6\)",
    ),
    "transformer: source rank": (
        lambda: model()(source[0], target),
        ValueError,
        r"source .*\(B, length\).*got \(11,\)",
    ),
    "transformer: target rank": (
        lambda: model()(source, target[..., None]),
        ValueError,
        r"target .*got \(3, 7, 1\)",
    ),
    "transformer: batches": (
        lambda: model()(source, target[:2]),
        ValueError,
        "memory must have the target's batch of 2, got 3",
    ),
    "cache: batches": (
        lambda: continued(target, target[:2]),
        ValueError,
        "cache must hold the input's batch of 2, got 3",
    ),
    "padding mask": (
        lambda: padding_mask(source[0]),
        ValueError,
        r"ids .*got \(11,\)",
    ),
    "rnn: rank": (
        lambda: RNN(30, 19)(x[0]),
        ValueError,
        r"x .*30\).*got \(7, 30\)",
    ),
    "rnn: state": (
        lambda: RNN(30, 19)(x, torch.zeros(2, 19)),
        ValueError,
        r"state .*\(3, 19\), got \(2, 19\)",
    ),
    "lstm: one state": (
        lambda: LSTM(30, 19)(x, (torch.zeros(3, 19),)),
        ValueError,
        "state must hold 2 tensors, got 1",
    ),
}
DTYPE = {
    "transformer: float source": (
        lambda: model()(source.float(), target),
        TypeError,
        "source .*int64 or int32, got dtype torch.float32",
    ),
    "transformer: bool target": (
        lambda: model()(source, target > 3),
        TypeError,
        "target .*got dtype torch.bool",
    ),
    "transformer: int16 target": (
        lambda: model()(source, target.short()),
        TypeError,
        "target .*int64 or int32, got dtype torch.int16",
    ),
    "transformer: list": (
        lambda: model()(source.tolist(), target),
        TypeError,
        "source must be a torch.Tensor, got list",
    ),
    "decode: list": (
        lambda: model().decode(target.tolist(), memory),
        TypeError,
        "target must be a torch.Tensor, got list",
    ),
    "padding mask: array": (
        lambda: padding_mask(source.numpy()),
        TypeError,
        "ids must be a torch.Tensor, got ndarray",
    ),
    "encoder: double": (
        lambda: encoder(x.double()),
        TypeError,
        "x .*torch.float32, got torch.float64",
    ),
    "encoder: integers": (
        lambda: encoder(x.long()),
        TypeError,
        "x .*float32, got torch.int64",
    ),
    "decoder: memory": (
        lambda: decoder(x, memory.half()),
        TypeError,
        "memory .*torch.float32, got torch.float16",
    ),
    "attention: None": (
        lambda: attention(None),
        TypeError,
        "query .*Tensor, got NoneType",
    ),
    "function: key": (
        lambda: function(key=torch.ones(B, H, S, 6, dtype=torch.float64)),
        TypeError,
        r"key .*\(torch.float32\) is, got torch.float64",
    ),
    "function: integers": (
        lambda: function(torch.ones(B, H, T, 6, dtype=torch.long)),
        TypeError,
        "query .*got torch.int64",
    ),
    "rnn: double": (
        lambda: RNN(30, 19)(x.double()),
        TypeError,
        "x .*float32, got torch.float64",
    ),
    "rnn: not a tensor": (
        lambda: RNN(30, 19)([1.0]),
        TypeError,
        "x .*Tensor, got list",
    ),
    "lstm: state": (
        lambda: LSTM(30, 19)(x, (torch.zeros(3, 19).double(),) * 2),
        TypeError,
        "state .*float32, got torch.float64",
    ),
}
DEVICE = {
    "encoder": (
        lambda: encoder(x.to("meta")),
        ValueError,
        "x .*device cpu, got meta",
    ),
    "decoder: memory": (
        lambda: decoder(x, memory.to("meta")),
        ValueError,
        "memory .*device cpu, got meta",
    ),
    "transformer: source": (
        lambda: model()(source.to("meta"), target),
        ValueError,
        "source .*device cpu, got meta",
    ),
    "transformer: target": (
        lambda: model()(source, target.to("meta")),
        ValueError,
        "target .*device cpu, got meta",
    ),
    "function: value": (
        lambda: function(value=torch.ones(B, H, S, 6, device="meta")),
        ValueError,
        "value .*device cpu, got meta",
    ),
    "mask": (
        lambda: encoder(x, yes.to("meta")),
        ValueError,
        "mask .*device cpu, got meta",
    ),
    "rnn: state": (
        lambda: RNN(30, 19)(x, torch.zeros(3, 19, device="meta")),
        ValueError,
        "state .*device cpu, got meta",
    ),
}
VOCABULARY_AND_LENGTH = {
    "source too high": (
        lambda: model()(changed(source, SOURCE_VOCAB), target),
        ValueError,
        "source .*0 to 16, got ids from . to 17",
    ),
    "target too high": (
        lambda: model()(source, changed(target, V)),
        ValueError,
        "target .*0 to 12, got ids from . to 13",
    ),
    "target negative": (
        lambda: model()(source, changed(target, -1)),
        ValueError,
        "target .*0 to 12, got ids from -1 to",
    ),
    "source too long": (
        lambda: model(max_length=10)(source, target),
        ValueError,
        "source .*max_length=10, got 11",
    ),
    "target too long": (
        lambda: model(max_length=11)(source, torch.cat((target, target), 1)),
        ValueError,
        "target .*max_length=11, got 14",
    ),
    "too long through a cache": (
        lambda: continued(target, target[:, :5], max_length=11),
        ValueError,
        "target .*max_length=11, got 12",
    ),
    "embedding alone": (
        lambda: InputEmbedding(V, config(max_length=6))(target),
        ValueError,
        "ids .*max_length=6, got 7",
    ),
}
EMPTY = {
    "source without rows": (
        lambda: model()(source[:0], target[:0]),
        ValueError,
        r"source .*0, got \(0, 11\)",
    ),
    "source without symbols": (
        lambda: model()(source[:, :0], target),
        ValueError,
        r"source .*0, got \(3, 0\)",
    ),
    "target without symbols": (
        lambda: model()(source, target[:, :0]),
        ValueError,
        r"target .*0, got \(3, 0\)",
    ),
    "encoder": (lambda: encoder(x[:, :0]), ValueError, r"x .*0, got \(3, 0, 30\)"),
    "memory": (
        lambda: decoder(x, memory[:, :0]),
        ValueError,
        r"memory .*got \(3, 0, 30\)",
    ),
    "attention": (
        lambda: attention(key=x[:0]),
        ValueError,
        r"key .*got \(0, 7, 30\)",
    ),
    "function": (
        lambda: function((B, H, 0, 6)),
        ValueError,
        r"query .*got \(3, 5, 0, 6\)",
    ),
    "causal mask": (
        lambda: causal_mask(0),
        ValueError,
        "length must be at least 1, got 0",
    ),
    "lstm": (lambda: LSTM(30, 19)(x[:, :0]), ValueError, r"x .*got \(3, 0, 30\)"),
}
MASKS = {
    "float": (
        lambda: encoder(x, yes.float()),
        TypeError,
        "mask .*boolean.*got dtype torch.float32",
    ),
    "integers": (
        lambda: attention(mask=yes.long()),
        TypeError,
        "mask .*got dtype torch.int64",
    ),
    "list": (
        lambda: attention(mask=[[True]]),
        TypeError,
        "mask must be a torch.Tensor, got list",
    ),
    "float to the functions": (
        lambda: function(mask=torch.zeros(T, S)),
        TypeError,
        "mask .*got dtype torch.float32",
    ),
    "shape": (
        lambda: encoder(x, yes[..., 1:]),
        ValueError,
        r"mask .*\(3, 5, 7, 7\), got \(3, 1, 7, 6\)",
    ),
    "rank": (
        lambda: attention(mask=yes[None]),
        ValueError,
        r"mask .*\(3, 5, 7, 7\), got \(1, 3, 1, 7, 7\)",
    ),
    "queries for keys": (
        lambda: decoder(x, memory, None, yes),
        ValueError,
        r"memory_mask .*\(3, 5, 7, 11\), got \(3, 1, 7, 7\)",
    ),
    "float memory mask": (
        lambda: decoder(x, memory, None, torch.zeros(B, 1, 1, S)),
        TypeError,
        "memory_mask .*got dtype torch.float32",
    ),
    "float source mask": (
        lambda: model().decode(target, memory, torch.zeros(B, 1, 1, S)),
        TypeError,
        "source_mask .*got dtype torch.float32",
    ),
    "past": (
        lambda: causal_mask(3, past=-1),
        ValueError,
        "past must be at least 0, got -1",
    ),
    "length": (
        lambda: causal_mask(3.0),
        TypeError,
        "length must be an int, got 3.0",
    ),
}
CONFIG = {
    "heads": (
        lambda: config(d_model=30, n_heads=7),
        ValueError,
        "d_model .*n_heads, got d_model=30 and n_heads=7",
    ),
    "layer's heads": (
        lambda: MultiHeadAttention(30, 7),
        ValueError,
        "got d_model=30 and n_heads=7",
    ),
    "odd heads with rotary": (
        lambda: config(d_model=35, n_heads=5, positions="rotary"),
        ValueError,
        "d_head .*even.*35 / 5 = 7",
    ),
    "odd width to rotate": (
        lambda: apply_rotary(torch.ones(B, H, T, 7)),
        ValueError,
        r"x .*even.*got shape \(3, 5, 7, 7\)",
    ),
    "width of 0": (
        lambda: config(d_model=0),
        ValueError,
        "d_model must be at least 1, got 0",
    ),
    "float width": (
        lambda: config(d_model=512.0),
        TypeError,
        "d_model must be an int, got 512.0",
    ),
    "True layers": (
        lambda: config(n_layers=True),
        TypeError,
        "n_layers must be an int, got True",
    ),
    "no heads": (
        lambda: config(n_heads=0),
        ValueError,
        "n_heads must be at least 1, got 0",
    ),
    "d_ff": (
        lambda: config(d_ff=-1),
        ValueError,
        "d_ff must be at least 1, got -1",
    ),
    "max_length": (
        lambda: config(max_length=0),
        ValueError,
        "max_length .*at least 1, got 0",
    ),
    "dropout of 1": (
        lambda: config(dropout=1.0),
        ValueError,
        r"dropout .*\[0, 1\), got 1.0",
    ),
    "dropout below 0": (
        lambda: MultiHeadAttention(30, 5, -0.1),
        ValueError,
        "dropout .*got -0.1",
    ),
    "dropout in words": (
        lambda: config(dropout="0.1"),
        TypeError,
        "dropout .*got '0.1'",
    ),
    "norm": (
        lambda: config(norm="before"),
        ValueError,
        "norm .*'pre', 'post'.*got 'before'",
    ),
    "positions": (
        lambda: config(positions=None),
        ValueError,
        "positions .*'rotary'.*got None",
    ),
    "activation": (
        lambda: config(activation="silu"),
        ValueError,
        "activation .*got 'silu'",
    ),
    "norm_eps": (
        lambda: config(norm_eps=0.0),
        ValueError,
        "norm_eps must be positive, got 0.0",
    ),
    "norm_eps in words": (
        lambda: config(norm_eps="small"),
        TypeError,
        "norm_eps .*got 'small'",
    ),
    "tie_embeddings": (
        lambda: config(tie_embeddings="no"),
        TypeError,
        "tie_embeddings .*'no'",
    ),
    "final_norm": (
        lambda: config(final_norm=1),
        TypeError,
        "final_norm .*True or False, got 1",
    ),
    "pad": (lambda: config(pad=V), ValueError, "pad .*target_vocab=13, got 13"),
    "negative pad": (
        lambda: config(pad=-100),
        ValueError,
        "pad must be at least 0, got -100",
    ),
    "vocabulary": (
        lambda: TransformerConfig(0, V),
        ValueError,
        "source_vocab .*got 0",
    ),
    "no vocabulary": (
        lambda: Transformer(TransformerConfig(SOURCE_VOCAB)),
        ValueError,
        "target_vocab .*got None",
    ),
}
DECODING = {
    "start: words": (lambda: greedy(start="go"), TypeError, "start .*got 'go'"),
    "start: None": (lambda: greedy(start=None), TypeError, "start .*got None"),
    "start: float": (
        lambda: greedy(start=[1.0]),
        TypeError,
        "start .*got dtype torch.float32",
    ),
    "start: bool": (
        lambda: greedy(start=True),
        TypeError,
        "start .*got dtype torch.bool",
    ),
    "start: rank": (
        lambda: greedy(start=target[None]),
        ValueError,
        r"start .*\(B, length\).*got \(1, 3, 7\)",
    ),
    "start: rows": (
        lambda: greedy(start=target[:2]),
        ValueError,
        "start .*source's 3, got 2",
    ),
    "start: vocabulary": (
        lambda: greedy(start=V),
        ValueError,
        "0 to 12, got ids from 13 to 13",
    ),
    "source: rank": (
        lambda: greedy(source=source[0]),
        ValueError,
        r"source .*got \(11,\)",
    ),
    "max_length: 0": (
        lambda: greedy(max_length=0),
        ValueError,
        "max_length .*at least 1, got 0",
    ),
    "max_length: float": (
        lambda: greedy(max_length=5.0),
        TypeError,
        "max_length .*got 5.0",
    ),
    "max_length: beyond the model's": (
        lambda: greedy({"max_length": 13}, max_length=14),
        ValueError,
        "max_length=13, got 1 and 14",
    ),
    "max_length: beyond, after a prefix": (
        lambda: greedy({"max_length": 13}, start=target, max_length=8),
        ValueError,
        "start and max_length .*max_length=13, got 7 and 8",
    ),
    "beam: 0": (
        lambda: beams(beam=0),
        ValueError,
        "beam must be at least 1, got 0",
    ),
    "beam: float": (
        lambda: beams(beam=2.5),
        TypeError,
        "beam must be an int, got 2.5",
    ),
    "length_penalty": (
        lambda: beams(length_penalty="a"),
        TypeError,
        "length_penalty .*got 'a'",
    ),
    "temperature: 0": (
        lambda: samples(temperature=0),
        ValueError,
        "temperature .*got 0",
    ),
    "temperature: NaN": (
        lambda: samples(temperature=float("nan")),
        ValueError,
        "temper.*nan",
    ),
    "temperature: words": (
        lambda: samples(temperature="hot"),
        TypeError,
        "temperature .*'hot'",
    ),
    "top_k: 0": (
        lambda: samples(top_k=0),
        ValueError,
        "top_k must be at least 1, got 0",
    ),
    "top_k: float": (
        lambda: samples(top_k=2.0),
        TypeError,
        "top_k must be an int, got 2.0",
    ),
    "top_p: 0": (
        lambda: samples(top_p=0),
        ValueError,
        r"top_p must be in \(0, 1\], got 0",
    ),
    "top_p: above 1": (lambda: samples(top_p=1.5), ValueError, r"top_p .*got 1.5"),
    "top_p: words": (
        lambda: samples(top_p="most"),
        TypeError,
        "top_p .*got 'most'",
    ),
}
CASES = {
    f"{group} - {name}": case
    for group, cases in {
        "rank and shape": RANK_AND_SHAPE,
        "dtype": DTYPE,
        "device": DEVICE,
        "vocabulary and length": VOCABULARY_AND_LENGTH,
        "empty": EMPTY,
        "masks": MASKS,
        "config": CONFIG,
        "decoding": DECODING,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", CASES)
def test_it_raises_and_says_what_is_wrong(case):
    call, error, message = CASES[case]
    with pytest.raises(error, match=f"(?s){message}"):
        call()


def test_the_good_twins_pass():
    """What the cases change is all that is wrong with them."""
    whole = model()
    assert (
        whole(source, target).shape
        == whole(source.int(), target.int()).shape
        == (B, T, V)
    )
    assert (
        encoder(x, yes).shape
        == decoder(x, memory, yes).shape
        == attention()[0].shape
    )
    assert model(max_length=11)(source, target).shape == (B, T, V)
    assert continued(target, target[:, :4], max_length=11).shape == (B, 4, V)
    assert greedy({"max_length": 13}, start=target, max_length=7).size(0) == B
    assert LSTM(30, 19)(x, (torch.zeros(3, 19),) * 2)[0].shape == (B, T, 19)


class Kernels(TorchDispatchMode):
    """Counts what PyTorch computes, views left out: `inside` the checks, and in `all`."""

    def __init__(self):
        super().__init__()
        self.all = self.inside = 0
        self.checking = False

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.all += not function.is_view
        self.inside += self.checking and not function.is_view
        return function(*arguments, **(keywords or {}))

    def watch(self, check):
        @functools.wraps(check)
        def watched(*arguments, **keywords):
            before, self.checking = self.checking, True
            check(*arguments, **keywords)
            self.checking = before

        return watched


def test_checks_are_less_than_2_percent_of_a_training_step(monkeypatch):
    """Counted, not timed: they look once at the ids, and for the rest at shapes and types."""
    config = TransformerConfig(29, 31, d_model=30, n_heads=5, n_layers=2, d_ff=23)
    model = Transformer(config).train()
    optimizer = torch.optim.Adam(model.parameters(), foreach=False)
    source, target = torch.randint(1, 29, (3, 11)), torch.randint(1, 31, (3, 7))
    kernels = Kernels()
    for name, module in list(sys.modules.items()):
        if name.startswith("tfbook.") and name != "tfbook.model.checks":
            for attribute, value in list(vars(module).items()):
                if getattr(value, "__module__", None) == "tfbook.model.checks":
                    monkeypatch.setattr(module, attribute, kernels.watch(value))
    monkeypatch.setattr(
        InputEmbedding, "_check", kernels.watch(InputEmbedding._check)
    )
    with kernels:
        sequence_loss(model(source, target), target).backward()
        optimizer.step()
    assert 0 < kernels.inside < 0.02 * kernels.all, (
        f"{kernels.inside} of {kernels.all} kernels run in checks"
    )


@pytest.mark.parametrize("shape", [(), (7,), (7, 7), (3, 1, 7, 7)])
def test_a_mask_may_have_fewer_axes(shape):
    """Plain and accelerated, it means what broadcasting makes of it."""
    plain = build(Encoder)
    mask = torch.ones(shape, dtype=torch.bool)
    if shape:  # the last key is hidden
        mask[..., -1] = False
    x = vectors(T, torch.float64)
    wanted = plain(x, mask.expand(B, H, T, T))
    for stack in (plain, accelerate(plain)):
        torch.testing.assert_close(stack(x, mask), wanted)
