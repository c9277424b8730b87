"""The fast twin of a model: the same parameters, outputs and gradients, only less work."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tfbook import (
    Encoder,
    KeyValueCache,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    greedy_decode,
    pitfalls,
    scaled_dot_product_attention,
)
from tfbook.fast import accelerate
from tfbook.fast import layers as fast
from tfbook.fast.accelerate import FASTER
from tfbook.fast.cache import BeamCache
from tfbook.fast.layers import FastAttention, FastDecoder
from tfbook.fast.packing import Packing
from tfbook.inspect.costs import count_operations
from tfbook.model.audio import SpectrogramTransformer
from tfbook.model.gpt import GPT
from tfbook.model.vit import ViT
from tfbook.training.loop import sequence_loss

SOURCE_VOCAB, V, S, T = 17, 13, 11, 7
SIZES = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23, "dropout": 0.0}


def batch(source_lengths, target_lengths):
    """Ids (B, S) and (B, T + 1) of these lengths, pads behind them."""
    torch.manual_seed(1)
    found = []
    for lengths, size, vocab in (
        (source_lengths, S, SOURCE_VOCAB),
        (target_lengths, T + 1, V),
    ):
        ids = torch.randint(1, vocab, (len(lengths), size))
        found.append(ids * (torch.arange(size) < torch.tensor(lengths)[:, None]))
    return found


def holes():
    """Pads in front and in the middle of the source, and in the middle of the target."""
    source, target = batch([11, 11, 11], [8, 8, 8])
    source[0, :3], source[1, 4:6], target[1, 3:5] = 0, 0, 0
    return source, target


def pad_first():
    """As where the id that begins a sequence is the pad's."""
    source, target = batch([4, 11, 7], [8, 3, 5])
    target[:, 0] = 0
    return source, target


BATCHES = {
    "both padded": batch([4, 11, 7], [8, 3, 5]),
    "source padded": batch([4, 11, 7], [8, 8, 8]),
    "target padded": batch([11, 11, 11], [8, 3, 5]),
    "no pads": batch([11, 11, 11], [8, 8, 8]),
    "an empty source": batch([0, 11, 7], [8, 3, 5]),
    "all sources empty": batch([0, 0, 0], [8, 3, 5]),
    "an empty target": batch([4, 11, 7], [8, 0, 5]),
    "one row": batch([4], [5]),
    "holes": holes(),
    "a start that is a pad": pad_first(),
}


def model_of(kind=Transformer, **changes):
    """A model of a kind; what its config does not know goes to the kind itself."""
    torch.manual_seed(0)
    fields = {f.name for f in dataclasses.fields(TransformerConfig)}
    own = {name: changes.pop(name) for name in [*changes] if name not in fields}
    config = TransformerConfig(SOURCE_VOCAB, V, **{**SIZES, **changes})
    return kind(config, **own).train()


def real_in(target):
    """What the decoder reads of target (B, T + 1) that is real, or begins a row: (B, T)."""
    real = target[:, :-1] != 0
    real[:, 0] = True
    return real


def learned(model, source, target):
    """The logits at real positions, and the gradient of every parameter; the loss asks
    no pad, and no symbol behind one.
    """
    model.zero_grad()
    logits, real = model(source, target[:, :-1]), real_in(target)
    wide = logits.float() if logits.dtype == torch.bfloat16 else logits
    sequence_loss(wide, target[:, 1:] * real).backward()
    return logits[real], {name: p.grad for name, p in model.named_parameters()}


def assert_alike(model, source, target, most=1e-10):
    """The twin's logits are the plain model's, in training and eval, and so are its
    gradients.
    """
    twin = accelerate(model)
    assert twin is not model
    logits, gradients = learned(twin, source, target)
    wanted, theirs = learned(model, source, target)
    evaluated = twin.eval()(source, target[:, :-1])[real_in(target)]
    for other in (wanted, evaluated):
        assert logits.shape == other.shape and other.isfinite().all()
        assert (logits - other).abs().max() <= most
    assert [g is None for g in theirs.values()] == [
        g is None for g in gradients.values()
    ]
    theirs = {name: g for name, g in theirs.items() if g is not None}
    largest = max(g.abs().max() for g in theirs.values())
    for name, gradient in theirs.items():
        assert gradient.isfinite().all(), name
        scale = gradient.abs().max().clamp(min=1e-3 * largest)
        assert (gradients[name] - gradient).abs().max() <= 2 * most * scale, name


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "none"])
@pytest.mark.parametrize("name", BATCHES)
def test_logits_and_gradients_are_those_of_the_whole_batch(name, positions, norm):
    model = model_of(norm=norm, positions=positions).double()
    assert_alike(model, *BATCHES[name])


def test_in_16_bits():
    model = model_of()
    with torch.autocast("cpu", torch.bfloat16):
        assert_alike(model, *BATCHES["both padded"], most=2e-2)


class Louder(Transformer):
    """One with a memory of its own: what training computes has to pass through it."""

    def encode(self, source):
        return 2 * super().encode(source)


def test_a_models_own_way_is_its_twins_way():
    source, target = BATCHES["no pads"]
    model = model_of(Louder).double()
    assert_alike(model, source, target)
    other = model_of().double().eval()(source, target[:, :-1])
    assert (model(source, target[:, :-1]) - other).abs().max() > 1e-3


IMAGE = {"image_size": (6, 10), "patch_size": (3, 5), "n_classes": 7}
MODELS = {  # a model, and what it is called with
    "Transformer": lambda: (model_of(), BATCHES["both padded"]),
    "GPT": lambda: (model_of(GPT), [torch.randint(V, (3, T))]),
    "ViT": lambda: (
        model_of(ViT, positions="learned", **IMAGE),
        [torch.randn(2, 1, 6, 10)],
    ),
    "sound": lambda: (
        model_of(SpectrogramTransformer, positions="learned"),
        [torch.randn(2, 8000)],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_of_the_books_layers_is_accelerated(name):
    model, inputs = MODELS[name]()
    twin = accelerate(model)
    kinds = {type(module) for module in twin.modules()} - {nn.Dropout}
    assert not kinds & set(FASTER) and kinds & set(FASTER.values())
    mine, theirs = dict(twin.named_parameters()), dict(model.named_parameters())
    assert list(twin.state_dict()) == list(model.state_dict())
    assert list(mine) == list(theirs)
    assert all(mine[name] is theirs[name] for name in theirs)
    assert not twin.eval().training and model.training
    with torch.no_grad():
        found, wanted = twin.eval()(*inputs), model.eval()(*inputs)
    if isinstance(model, Transformer):
        real = inputs[-1] != 0
        found, wanted = found[real], wanted[real]
    assert (found - wanted).abs().max() <= 1e-5


class Attention(MultiHeadAttention):
    """Another attention, whatever it does."""


def with_another_attention(model):
    model.encoder.layers[1].self_attention = Attention(30, 5).double()


def with_a_hook(model):
    model.encoder.layers[0].feed_forward.register_forward_hook(lambda *_: None)


def with_a_forward_of_its_own(model):
    layer = model.encoder.layers[0].feed_forward
    layer.forward = lambda x: 2 * x


def with_another_kernel(model):
    attention = model.encoder.layers[0].self_attention
    attention.inner_attention = scaled_dot_product_attention


def with_a_backward_hook(model):
    layer = model.encoder.layers[0].feed_forward
    layer.register_full_backward_pre_hook(lambda *_: None)


def with_a_method_of_its_own(model):
    attention = model.encoder.layers[0].self_attention
    project = attention.keys_and_values
    attention.keys_and_values = lambda *inputs: [2 * x for x in project(*inputs)]


@pytest.mark.parametrize(
    "change",
    [
        with_another_attention,
        with_a_hook,
        with_a_backward_hook,
        with_a_forward_of_its_own,
        with_a_method_of_its_own,
        with_another_kernel,
    ],
)
def test_a_stack_that_is_not_known_stays_as_it_is(change):
    model = model_of().double()
    change(model)
    twin = accelerate(model)
    kinds = [type(module) for module in twin.encoder.modules()]
    assert kinds[0] is Encoder and FastAttention not in kinds
    assert type(twin.decoder) is FastDecoder
    assert_alike(model, *BATCHES["both padded"])


def test_what_is_bound_to_a_module_keeps_its_mode():
    """Decoding a model in training has no dropout, in what stays as it is either."""
    model = model_of(dropout=0.5, max_length=20)
    for layer in model.decoder.layers:
        forward = layer.feed_forward.forward
        layer.feed_forward.forward = lambda x, forward=forward: forward(x)
    source = BATCHES["no pads"][0]
    said = [greedy_decode(model, source, 1, -1, 6).tolist() for _ in range(3)]
    assert said[0] == said[1] == said[2] and model.training
    assert said[0] == greedy_decode(model.eval(), source, 1, -1, 6).tolist()


class Remembering(MultiHeadAttention):
    """One that keeps its last output, as the Annotated Transformer's does its weights."""

    def forward(self, *inputs, **keywords):
        self.last = super().forward(*inputs, **keywords)
        return self.last


def test_what_a_module_remembers_is_on_the_model_itself():
    model = model_of().eval()
    model.encoder.layers[0].self_attention = Remembering(30, 5)
    greedy_decode(model, BATCHES["no pads"][0], 1, -1, 3)
    assert model.encoder.layers[0].self_attention.last[0].shape == (3, S, 30)


class Shared(nn.Module):
    """A layer that stands in a stack and outside of it."""

    def __init__(self):
        super().__init__()
        encoder = model_of().encoder
        self.first, self.encoder = encoder.layers[0], encoder

    def forward(self, x, mask):
        return self.encoder(self.first(x, mask), mask)


def test_a_layer_that_stands_in_two_places():
    torch.manual_seed(1)
    model, x = Shared().double(), torch.randn(3, S, 30).double()
    mask = torch.arange(S) < torch.tensor([4, 11, 7])[:, None]  # (B, S)
    found, wanted = (m(x, mask[:, None, None]) for m in (accelerate(model), model))
    assert (found - wanted)[mask].abs().max() <= 1e-10


def test_a_compiled_model_switches_nothing_off():
    """It is compiled whole, and what compiling leaves behind counts for nothing."""
    model, (source, target) = model_of().double().eval(), BATCHES["both padded"]
    wanted = model(source, target)
    for one in (model, accelerate(model)):
        compiled = torch.compile(one, backend="eager", fullgraph=True)
        real = target != 0
        assert (compiled(source, target) - wanted)[real].abs().max() <= 1e-10
    assert accelerate(model) is not model


def test_a_traced_twin_takes_pads_that_it_has_not_seen():
    twin, (source, target) = accelerate(model_of().eval()), BATCHES["no pads"]
    traced = torch.jit.trace(twin, (source, target), check_trace=False)
    source, target = BATCHES["both padded"]
    apart = traced(source, target) - twin(source, target)
    assert apart[target != 0].abs().max() <= 1e-5


def test_accelerating_twice_is_accelerating_once():
    twin = accelerate(model_of())
    assert accelerate(twin) is twin


def code_bugs():
    """The bugs of the gallery that change masks and attention."""
    return {
        name: bug
        for name, bug in pitfalls.PITFALLS.items()
        if bug.__module__.endswith((".masks", ".leaks"))
    }


@pytest.mark.parametrize("name", code_bugs())
def test_under_a_bug_all_stays_as_it_is(name):
    model = model_of()
    with code_bugs()[name]():
        assert accelerate(model) is model
    assert accelerate(model) is not model


def test_what_has_nothing_to_exchange_is_itself():
    layer = nn.Linear(3, 5)
    assert accelerate(layer) is layer


def test_pads_get_no_logits_and_so_teach_nothing():
    model, (source, target) = model_of().double(), BATCHES["both padded"]
    logits, real = accelerate(model)(source, target[:, :-1]), real_in(target)
    assert (logits[~real] == 0).all() and (logits[real] != 0).all()
    logits[~real].exp().sum().backward()
    assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_pads_cost_next_to_nothing():
    model = model_of(d_model=96, n_heads=2, d_ff=384)
    source, target = batch([4] * 3, [4] * 3)
    packed = count_operations(lambda: learned(accelerate(model), source, target))
    padded = count_operations(lambda: learned(model, source, target))
    # real: 4 of 11 in the source, 4 of 7 in what the decoder reads
    assert 4 / 11 < packed / padded < 4 / 7


def test_dropout_is_live():
    twin = accelerate(model_of(dropout=0.3))
    first, second = (learned(twin, *BATCHES["both padded"])[0] for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shape", [(1, 1, 1, S), (3, 1, S, S), (S, S), (S,)])
def test_a_mask_that_is_no_padding_mask_is_not_packed_by(shape):
    encoder = model_of().double().encoder
    x, mask = torch.randn(3, S, 30).double(), torch.arange(S).expand(shape) < 8
    assert (accelerate(encoder)(x, mask) - encoder(x, mask)).abs().max() <= 1e-10


@pytest.mark.parametrize("diagonal", [-1, 0, 2])
def test_positions_that_only_the_decoder_never_sees_are_no_pads(diagonal):
    """Strictly causal, causal and less than causal masks, with pads and without."""
    torch.manual_seed(1)
    decoder, memory = model_of().double().decoder, torch.randn(3, S, 30).double()
    x = torch.randn(3, T, 30).double()
    later = torch.ones(T, T).tril(diagonal).bool()
    for lengths in ([7, 7, 7], [7, 3, 5]):
        keep = torch.arange(T) < torch.tensor(lengths)[:, None]  # (B, T)
        mask = keep[:, None, None] & later
        found, wanted = (
            accelerate(decoder)(x, memory, mask),
            decoder(x, memory, mask),
        )
        assert (found - wanted)[keep].abs().max() <= 1e-10


def test_with_a_cache_training_mode_gives_what_eval_gives():
    """Steps with a cache are never packed: earlier keys lie in rows."""
    model, (source, target) = model_of().double(), BATCHES["source padded"]
    mask, answers = source != 0, []
    for twin in (accelerate(model), model.eval()):
        memory, cache = twin.encode(source), KeyValueCache()
        steps = [
            twin.decode(target[:, t : t + 1], memory, mask[:, None, None], cache)
            for t in range(T)
        ]
        answers.append(torch.cat(steps, dim=1))
    assert (answers[0] - answers[1])[:, 1:].abs().max() <= 1e-10


@pytest.mark.parametrize(
    "name, first, wanted",
    [
        ("no pads", 1, [(False, False), (False, False)]),
        ("no pads", 2, [(True, False), (False, False)]),
        ("both padded", 1, [(False, True), (False, True)]),
    ],
)
def test_a_mask_that_hides_nothing_is_left_out(name, first, wanted, monkeypatch):
    """Of two cached steps: whether self-attention and cross-attention get a mask."""
    twin = accelerate(model_of(n_layers=1)).eval()
    (source, target), seen, attend = BATCHES[name], [], fast.fused_attention

    def watched(query, key, value, mask=None, dropout=0.0):
        seen.append(mask is not None)
        return attend(query, key, value, mask, dropout)

    memory, mask = twin.encode(source), twin.mask_source(source)
    monkeypatch.setattr(fast, "fused_attention", watched)
    cache = KeyValueCache()
    twin.decode(target[:, :first], memory, mask, cache)
    twin.decode(target[:, first : first + 1], memory, mask, cache)
    assert [tuple(seen[:2]), tuple(seen[2:])] == wanted


BAD_INPUT = {
    "x": lambda m: m.encoder(torch.ones(3, S, 31)),
    "mask": lambda m: m.encoder(torch.ones(3, S, 30), torch.ones(3, 1, 1, S)),
    "mask of a decoder": lambda m: m.decoder(
        torch.ones(3, T, 30), torch.ones(3, S, 30), torch.ones(T + 1, T + 1).bool()
    ),
    "memory": lambda m: m.decoder(torch.ones(3, T, 30), torch.ones(2, S, 30)),
    "memory_mask": lambda m: m.decoder(
        torch.ones(3, T, 30), torch.ones(3, S, 30), None, torch.ones(3, 1, 1, S)
    ),
    "memory of none": lambda m: m.decoder(torch.ones(3, T, 30)),
    "source": lambda m: m(torch.ones(3, S), torch.ones(3, T).long()),
    "source_mask": lambda m: m.decode(
        torch.ones(3, T).long(), torch.ones(3, S, 30), torch.ones(3, 1, 1, S)
    ),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_refused_in_the_plain_models_words(name, training):
    plain = model_of().train(training)
    messages = []
    for model in (plain, accelerate(plain)):
        with pytest.raises((TypeError, ValueError)) as error:
            BAD_INPUT[name](model)
        messages.append((type(error.value), str(error.value)))
    assert messages[0] == messages[1]
    assert messages[0][1].startswith(name.split()[0])


def test_what_is_packed_comes_back():
    keep = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 1, 1]]).bool()
    packing, x = Packing((3, 4), keep[:, None, None]), torch.randn(3, 4, 2)
    keep[:, 0] = True
    packed = packing.pack(x)
    assert torch.equal(packed, x[keep][None])
    assert torch.equal(packing.unpack(packed)[keep], x[keep])
    assert torch.equal(packing.restore(packed), x * keep[..., None])
    plain = Packing()
    assert torch.equal(plain.pack(x), x) and torch.equal(plain.restore(x), x)


@pytest.mark.parametrize("keep", [torch.ones(3, 1, 1, 7).bool(), None])
def test_without_pads_all_is_packed(keep):
    packing, x = Packing((3, 7), keep), torch.randn(3, 7, 2)
    assert torch.equal(packing.pack(x), x.reshape(1, 21, 2))  # (1, B·T, D)
    assert torch.equal(packing.restore(packing.pack(x)), x)


@pytest.mark.parametrize(
    "dtype, keys, learning, fused",
    [
        (torch.bfloat16, 999, True, False),
        (torch.bfloat16, 1000, True, True),
        (torch.bfloat16, 9, False, True),
        (torch.float16, 9, False, True),
        (torch.float32, 9, True, True),
    ],
)
def test_the_fused_kernel_is_left_where_it_is_slow(
    dtype, keys, learning, fused, monkeypatch
):
    """On a CPU without dropout: short keys in bfloat16 while gradients are wanted."""
    calls, kernel = [], F.scaled_dot_product_attention

    def counted(*arguments):
        calls.append(1)
        return kernel(*arguments)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    # as large as float16 can't square and add up
    query = torch.full((1, 1, 2, 64), 40.0, dtype=dtype, requires_grad=learning)
    key = torch.full((1, 1, keys, 64), 40.0, dtype=dtype)
    output, weights = fast.fused_attention(query, key, key)
    assert bool(calls) is fused and weights is None
    assert (output.float() - 40).abs().max() <= 2e-2 * 40


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("masked", [True, False])
def test_attention_in_place_is_attention(dtype, masked):
    torch.manual_seed(2)
    query, key = (
        torch.randn(2, 3, 5, 14).to(dtype),
        torch.randn(2, 3, 7, 14).to(dtype),
    )
    mask = torch.rand(2, 1, 5, 7) < 0.6 if masked else None
    if masked:
        mask[0, 0, 2] = False  # a row that may attend to nothing
    found = fast.attention_in_place(query, key, key, mask, 0.0)
    wanted = scaled_dot_product_attention(query, key, key, mask)[0]
    most = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-2}
    assert (found - wanted).abs().max() <= most[dtype]


# Beams that share a memory


def decoded(model, cache, n):
    """Logits of three steps of n beams for each of three sources, rows moved between."""
    source, target = BATCHES["source padded"]
    memory = model.encode(source).repeat_interleave(n, dim=0)  # (B·n, S, d_model)
    mask = model.mask_source(source).repeat_interleave(n, dim=0)  # (B·n, 1, 1, S)
    ids = target.repeat_interleave(n, dim=0)  # (B·n, T + 1)
    steps = [model.decode(ids[:, :2], memory, mask, cache)]
    for rows in ([1, 0, 2, 2, 5, 4], [4, 5, 0, 0]):  # the third source is done
        memory, mask, ids = memory[rows], mask[rows], ids[rows]
        cache.select(torch.tensor(rows))
        steps.append(
            model.decode(ids[:, len(steps) + 1 :][:, :1], memory, mask, cache)
        )
    return torch.cat([step.flatten(0, 1) for step in steps])


@pytest.mark.parametrize("fast_model", [True, False])
def test_beams_share_the_keys_and_values_of_their_source(fast_model):
    model, n = model_of().double().eval(), 2
    cache = BeamCache(n)
    found = decoded(accelerate(model) if fast_model else model, cache, n)
    assert (found - decoded(model, KeyValueCache(), n)).abs().max() <= 1e-10
    for layer in cache.layers.values():
        assert len(layer.memory.pair[0]) == 2 and len(layer.past.pair[0]) == 4


def test_beams_ask_their_memory_side_by_side():
    """Keys and values of the memory are computed once a source, whatever the beam."""
    source, twin = BATCHES["no pads"][0], accelerate(model_of().eval())

    def step(n):
        memory = twin.encode(source).repeat_interleave(n, dim=0)
        ids, cache = torch.ones(3 * n, 1).long(), BeamCache(n)
        return count_operations(lambda: twin.decode(ids, memory, None, cache))

    # keys and values, of two layers, at three times S positions
    of_memory = 2 * 2 * 2 * SIZES["d_model"] ** 2 * 3 * S
    assert step(4) - of_memory == 4 * (step(1) - of_memory)
