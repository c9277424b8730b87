"""The recurrent baseline, beside single cells and the loops that know nothing of it."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from invariants import assert_moved, assert_same
from subjects import GARBAGE, SOURCE_VOCAB, B, S, T, V, noise, symbols
from test_decoding import LONGEST, PAD, START, STOP, naive_beams, naive_greedy
from test_decoding import sources as padded_sources
from torch import nn

from tfbook import (
    KeyValueCache,
    beam_search,
    beam_search_nbest,
    greedy_decode,
    padding_mask,
)
from tfbook.data.batching import pad_pairs
from tfbook.tasks.copying import VOCAB, copies
from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.tasks.pronunciation.dictionary import LETTERS, SOUNDS
from tfbook.tasks.pronunciation.pronouncer import Pronouncer
from tfbook.training.loop import Training, train
from tfbook.training.presets import Preset

D_MODEL, N_LAYERS = 38, 2
DEPTHS = pytest.mark.parametrize("n_layers", [1, 2, 3])
SEEDS = (4, 5, 7, 9, 10)  # of models that stop at once, late or never


def model(seed=0, size=1.0, **changes):
    """A model in float64; with size above 1 its answers differ from row to row, and
    it never says pad, as a trained one would not.
    """
    torch.manual_seed(seed)
    fields = {
        "source_vocab": SOURCE_VOCAB,
        "target_vocab": V,
        "d_model": D_MODEL,
        "n_layers": N_LAYERS,
        "dropout": 0.0,
    }
    made = SequenceLSTM(SequenceLSTMConfig(**fields | changes)).double().eval()
    if size > 1:
        with torch.no_grad():
            for parameter in made.parameters():
                parameter *= size
        without_pad = torch.arange(V) == PAD
        made.output.register_forward_hook(
            lambda layer, inputs, logits: logits.masked_fill(without_pad, -50.0)
        )
    return made


def with_pads(ids, n=4):
    return nn.functional.pad(ids, (0, n), value=PAD)  # (B, length + n)


def test_it_has_the_interface_of_the_transformer():
    lstm, source, target = model(), symbols(S, SOURCE_VOCAB), symbols(T, V)
    memory = lstm.encode(source)
    assert memory.shape == (B, S, D_MODEL)
    logits = lstm.decode(target, memory, padding_mask(source))
    assert logits.shape == (B, T, V)
    assert torch.equal(lstm(source, target), logits)
    assert asdict(lstm.config) == {
        "source_vocab": SOURCE_VOCAB,
        "target_vocab": V,
        "d_model": D_MODEL,
        "n_layers": N_LAYERS,
        "dropout": 0.0,
        "max_length": 64,
        "pad": PAD,
    }


def cell(lstm, layer, direction=""):
    """One `nn.LSTMCell` with the weights of a layer."""
    suffix = f"_l{layer}{direction}"
    weights = [getattr(lstm, name + suffix) for name in ("weight_ih", "weight_hh")]
    single = nn.LSTMCell(weights[0].size(1), weights[1].size(1)).double()
    single.load_state_dict(
        {
            name: getattr(lstm, name + suffix)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
    )
    return single


def walk(single, inputs):
    state, outputs = None, []
    for x in inputs:
        state = single(x, state)
        outputs.append(state[0])
    return outputs


def by_cells(lstm, source, target):
    """Logits (T, V) of one source and one target without pads, a symbol at a time."""
    scale = math.sqrt(lstm.config.d_model)
    memory = list(lstm.source_embedding.tokens.weight[source] * scale)
    for layer in range(lstm.config.n_layers):
        forward = walk(cell(lstm.encoder, layer), memory)
        backward = walk(cell(lstm.encoder, layer, "_reverse"), memory[::-1])[::-1]
        memory = [torch.cat(both) for both in zip(forward, backward, strict=True)]
    hidden = torch.tanh(lstm.first_hidden(backward[0])).chunk(lstm.config.n_layers)
    states = [(h, torch.zeros_like(h)) for h in hidden]
    rows = []
    for symbol in target:
        x = lstm.target_embedding.tokens.weight[symbol] * scale
        for layer, state in enumerate(states):
            states[layer] = cell(lstm.decoder, layer)(x, state)
            x = states[layer][0]
        query = lstm.attention.query_projection.weight @ x
        weights = torch.stack([query @ m for m in memory]).softmax(0)
        context = sum(w * m for w, m in zip(weights, memory, strict=True))
        x = torch.tanh(lstm.attention.combine(torch.cat((x, context))))
        rows.append(lstm.output.weight @ x)
    return torch.stack(rows)


@DEPTHS
def test_it_is_what_single_cells_compute(n_layers):
    lstm, target = model(n_layers=n_layers), symbols(T, V)
    with torch.no_grad():
        logits = lstm(padded_sources(), target)
        for row, ids, got in zip(padded_sources(), target, logits, strict=True):
            wanted = by_cells(lstm, row[row != PAD], ids)
            assert_same(got, wanted, "logits by nn.LSTMCell")


def test_padding_of_the_source_changes_nothing():
    lstm, source, target = model(), padded_sources(), symbols(T, V)
    logits = lstm(source, target)
    assert_same(lstm(with_pads(source), target), logits, "more pads in the source")
    for b, row in enumerate(source):
        alone = lstm(row[None, row != PAD], target[b : b + 1])
        assert_same(alone, logits[b : b + 1], "a row without its pads")
    lstm(source, target).sum().backward()
    gradient = lstm.source_embedding.tokens.weight.grad
    assert not gradient[PAD].any() and gradient[source[source != PAD]].all()


def test_padding_of_the_target_changes_nothing():
    lstm, source, target = model(), padded_sources(), symbols(T, V)
    logits = lstm(source, target)
    longer = lstm(source, with_pads(target))
    assert_same(longer[:, :T], logits, "pads behind the target")


def test_the_pad_may_be_any_id():
    """With two ids exchanged everywhere, one of them the pad, nothing changes."""
    lstm, other = model(), model(pad=5)
    exchange = {PAD: 5, 5: PAD}
    with torch.no_grad():
        for layer in (
            other.source_embedding.tokens,
            other.target_embedding.tokens,
            other.output,
        ):
            layer.weight[[PAD, 5]] = layer.weight[[5, PAD]]
    source, target = padded_sources(), with_pads(symbols(T, V))
    logits, cache = lstm(source, target), KeyValueCache()
    names = [
        ids.clone().apply_(lambda i: exchange.get(i, i)) for ids in (source, target)
    ]
    logits[..., [PAD, 5]] = logits[..., [5, PAD]]
    assert_same(other(*names), logits, "with another pad")
    other.decode(names[1], other.encode(names[0]), cache=cache)
    assert torch.equal(cache.mask, padding_mask(target))


def test_the_memory_at_pads_is_not_looked_at():
    lstm, source, target = model(), padded_sources(), symbols(T, V)
    memory, mask = lstm.encode(source), padding_mask(source)
    logits = lstm.decode(target, memory, mask)
    other = torch.where(
        (source == PAD)[:, :, None], GARBAGE * noise(memory), memory
    )
    assert_same(lstm.decode(target, other, mask), logits, "garbage at pads")
    assert_moved(lstm.decode(target, memory), logits, "without its mask")


@pytest.mark.parametrize("t", range(1, T))
def test_no_leak_from_the_future(t):
    lstm, source, target = model(), padded_sources(), symbols(T, V)
    changed = target.clone()
    changed[:, t:] = target[:, t:] % (V - 1) + 1
    before, after = lstm(source, target), lstm(source, changed)
    assert_same(after[:, :t], before[:, :t], "logits before the change")
    assert_moved(after[:, t], before[:, t], "logits at the change")


def test_every_source_symbol_reaches_every_logit():
    """The memory is read both ways, and each target position looks at all of it."""
    lstm, source, target = model(), symbols(S, SOURCE_VOCAB), symbols(T, V)
    logits = lstm(source, target)
    for s in range(S):
        changed = source.clone()
        changed[:, s] = source[:, s] % (SOURCE_VOCAB - 1) + 1
        moved = (lstm(changed, target) - logits).abs().amax(-1)  # (B, T)
        assert (moved > 1e-6).all()


@DEPTHS
@pytest.mark.parametrize("pieces", [[1] * T, [3, 4], [2, 1, 4]], ids=str)
def test_in_steps_through_a_cache_it_is_the_full_pass(n_layers, pieces):
    lstm, source, target = model(n_layers=n_layers), padded_sources(), symbols(T, V)
    memory, mask, cache = lstm.encode(source), padding_mask(source), KeyValueCache()
    steps = [
        lstm.decode(piece, memory, mask, cache=cache)
        for piece in target.split(pieces, dim=1)
    ]
    assert_same(torch.cat(steps, dim=1), lstm(source, target), "in steps")
    assert torch.equal(cache.mask, padding_mask(target)) and cache.length == T


def test_a_cache_follows_the_rows_a_search_keeps():
    lstm, target = model(), symbols(T, V)
    source = padded_sources()[:1].expand(B, -1)  # as in a search: one source
    memory, cache, rows = lstm.encode(source), KeyValueCache(), [2, 0, 2]
    lstm.decode(target[:, :3], memory, cache=cache)
    cache.select(torch.tensor(rows))
    got = lstm.decode(target[:, 3:], memory, cache=cache)
    chosen = torch.cat((target[rows, :3], target[:, 3:]), dim=1)
    assert_same(got, lstm(source, chosen)[:, 3:], "after a selection")


@pytest.mark.parametrize("seed", SEEDS)
def test_decoding_is_the_naive_loop(seed):
    lstm, source = model(seed, size=3.0), padded_sources()
    got = greedy_decode(lstm, source, START, STOP, LONGEST)
    slow = greedy_decode(lstm, source, START, STOP, LONGEST, cache=False)
    assert torch.equal(got, slow)
    one = beam_search(lstm, source, START, STOP, LONGEST, beam=1)
    assert torch.equal(one, got)
    found = beam_search_nbest(lstm, source, START, STOP, LONGEST, beam=3)
    with torch.no_grad():
        for row, ids, hypotheses in zip(source, got, found, strict=True):
            row = row[row != PAD]
            assert ids[ids != PAD].tolist() == naive_greedy(
                lstm, row, [START], LONGEST
            )
            wanted = naive_beams(lstm, row, 3, penalty=0.6)
            assert [ids.tolist() for ids, _ in hypotheses] == [w[0] for w in wanted]


def test_the_models_used_here_stop_early_late_and_never():
    lengths = [
        int((row != PAD).sum())
        for seed in SEEDS
        for row in greedy_decode(
            model(seed, size=3.0), padded_sources(), START, STOP, LONGEST
        )
    ]
    assert min(lengths) == 0 and max(lengths) == LONGEST and len(set(lengths)) > 6


RECIPE = Preset(
    64, 1, 1, 1, 0.0, tokens=200, steps=400, learning_rate=1e-2, warmup=20
)


def reversed_pairs(n, seed):
    """Those of n random sequences that have 3 to 5 symbols, each to itself backwards."""
    return [(ids, ids[::-1]) for ids, _ in copies(n, seed) if len(ids) < 6]


def learner(**changes):
    torch.manual_seed(3)
    config = SequenceLSTMConfig(VOCAB, VOCAB, RECIPE.d_model, 1, RECIPE.dropout)
    return SequenceLSTM(replace(config, **changes))


def exact_share(lstm, pairs):
    """How many of the targets greedy decoding says without a mistake."""
    source, _ = pad_pairs(pairs)
    found = greedy_decode(lstm, source, START, STOP, 11)
    said = [ids[ids != PAD].tolist() for ids in found]
    right = [ids == target for ids, (_, target) in zip(said, pairs, strict=True)]
    return sum(right) / len(pairs)


@pytest.mark.parametrize("learning_rate", [RECIPE.learning_rate, 0.0])
def test_it_learns_to_say_a_sequence_backwards(learning_rate):
    """In the book's own loop, and only because the weights move."""
    lstm, steps = learner(), RECIPE.steps if learning_rate else 20
    recipe = replace(RECIPE, learning_rate=learning_rate, steps=steps)
    losses = train(lstm, reversed_pairs(8000, seed=1), recipe)
    assert len(losses) == recipe.steps
    share = exact_share(lstm, reversed_pairs(400, seed=2))
    if learning_rate:
        assert share > 0.85
    else:
        assert share < 0.05


def test_a_training_goes_on_from_its_checkpoint(tmp_path):
    recipe, pairs = replace(RECIPE, steps=6), reversed_pairs(500, seed=1)
    whole, halved = (
        learner(n_layers=2, dropout=0.1),
        learner(n_layers=2, dropout=0.1),
    )
    wanted = train(whole, pairs, recipe)
    first = Training(halved.train(), pairs, recipe)
    for _ in range(3):
        first.step()
    first.save(tmp_path / "half.safetensors")
    resumed = learner(n_layers=2, dropout=0.1)
    got = train(resumed, pairs, recipe, checkpoint=tmp_path / "half.safetensors")
    assert got == wanted
    for name, weight in resumed.state_dict().items():
        assert torch.equal(weight, whole.state_dict()[name])


def test_it_pronounces():
    """Untrained it says nonsense, but the same beside other words as alone."""
    lstm = model(source_vocab=len(LETTERS), target_vocab=len(SOUNDS), max_length=7)
    pronouncer = Pronouncer(lstm)
    answers = pronouncer.pronounce_all(["ab", "Abacus"], beam=3, nbest=3)
    for word, answer in zip(("ab", "abacus"), answers, strict=True):
        source = torch.tensor([LETTERS.encode(word)])
        wanted = beam_search_nbest(lstm, source, START, STOP, 7, beam=3)[0]
        for (phones, score), (ids, exact) in zip(answer, wanted, strict=True):
            assert phones == SOUNDS.decode(ids)
            assert score == pytest.approx(exact, rel=1e-5)
    with pytest.raises(ValueError, match="word must have at most 7 letters, got 8"):
        pronouncer.pronounce("abacuses")


@pytest.mark.filterwarnings("error")
@DEPTHS
def test_dropout_lives_in_training_alone(n_layers):
    lstm = model(n_layers=n_layers, dropout=0.3)
    inputs = padded_sources(), symbols(T, V)
    without = model(n_layers=n_layers)(*inputs)
    assert torch.equal(lstm(*inputs), without)
    lstm.train()
    assert_moved(lstm(*inputs), without, "with dropout")
    assert_moved(lstm(*inputs), lstm(*inputs), "with other dropout")


def test_dropout_stands_between_the_parts():
    """What enters each part in training is zero by half, and in eval nowhere."""
    lstm = model(n_layers=1, dropout=0.5)
    parts, shares = (lstm.encoder, lstm.decoder, lstm.attention, lstm.output), []

    def look(layer, inputs):
        x = inputs[0]
        shares.append((getattr(x, "data", x) == 0).double().mean().item())
        if layer is lstm.attention:
            shares.append((inputs[1] == 0).double().mean().item())

    for part in parts:
        part.register_forward_pre_hook(look)
    inputs = symbols(S, SOURCE_VOCAB), symbols(T, V)
    lstm(*inputs)
    assert shares == [0.0] * 5
    shares.clear()
    lstm.train()(*inputs)
    assert shares == pytest.approx([0.5] * 5, abs=0.1)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"d_model": 37}, ValueError, "d_model must be even, .*got 37"),
        ({"d_model": 2.0}, TypeError, "d_model must be an int, got 2.0"),
        ({"n_layers": 0}, ValueError, "n_layers must be at least 1, got 0"),
        ({"source_vocab": None}, TypeError, "source_vocab must be .*got None"),
        ({"target_vocab": 0}, ValueError, "target_vocab must be .*got 0"),
        ({"max_length": 0}, ValueError, "max_length must be at least 1, got 0"),
        ({"dropout": 1.0}, ValueError, r"dropout must be in \[0, 1\), got 1.0"),
        ({"dropout": "no"}, TypeError, "dropout must be a number, got 'no'"),
        ({"pad": -1}, ValueError, "pad must be at least 0, got -1"),
        ({"pad": V}, ValueError, f"pad must be .*target_vocab={V}, got {V}"),
    ],
    ids=str,
)
def test_a_config_that_cannot_be_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        model(**fields)


def continued(lstm, source, target, n_rows):
    cache = KeyValueCache()
    lstm.decode(target, lstm.encode(source), cache=cache)
    lstm.decode(target[:n_rows], lstm.encode(source[:n_rows]), cache=cache)


BAD_CALLS = {
    "pads first": (
        lambda m, s, t: m.encode(s.flip(1)),
        ValueError,
        r"source must have its pads at the end .*got \[\[",
    ),
    "a hole": (
        lambda m, s, t: m(s.index_fill(1, torch.tensor([3]), PAD), t),
        ValueError,
        "source must have its pads at the end .*got",
    ),
    "nothing but pads": (
        lambda m, s, t: m(torch.zeros_like(s), t),
        ValueError,
        "source must have .* after a symbol, got",
    ),
    "a source too long": (
        lambda m, s, t: m(s.repeat(1, 2), t),
        ValueError,
        "source must end by max_length=11, got 22",
    ),
    "a source of another vocabulary": (
        lambda m, s, t: m(s + SOURCE_VOCAB, t),
        ValueError,
        "source must lie in the vocabulary",
    ),
    "a source of floats": (
        lambda m, s, t: m(s.double(), t),
        TypeError,
        "source must be int64 or int32, got",
    ),
    "a target of rank one": (
        lambda m, s, t: m(s, t[0]),
        ValueError,
        "target must have shape .*got",
    ),
    "a target of another vocabulary": (
        lambda m, s, t: m(s, t + V),
        ValueError,
        "target must lie in the vocabulary",
    ),
    "a target too long": (
        lambda m, s, t: m(s, t.repeat(1, 2)),
        ValueError,
        "target must end by max_length=11, got 14",
    ),
    "a target too long in two steps": (
        lambda m, s, t: continued(m, s, t, B),
        ValueError,
        "target must end by max_length=11, got 14",
    ),
    "another batch in a cache": (
        lambda m, s, t: continued(m, s, t[:, :2], 2),
        ValueError,
        "cache must hold the input's batch of 2, got 3",
    ),
    "a memory of another batch": (
        lambda m, s, t: m.decode(t[:2], m.encode(s)),
        ValueError,
        "memory must have the target's batch of 2, got 3",
    ),
    "a memory of another width": (
        lambda m, s, t: m.decode(t, m.encode(s)[..., :-1]),
        ValueError,
        f"memory must have shape .*{D_MODEL}.*got",
    ),
    "a mask that is not boolean": (
        lambda m, s, t: m.decode(t, m.encode(s), padding_mask(s).long()),
        TypeError,
        "source_mask must be boolean",
    ),
    "a mask of another length": (
        lambda m, s, t: m.decode(t, m.encode(s), padding_mask(s[:, 1:])),
        ValueError,
        "source_mask must broadcast .*got",
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_bad_input_is_refused_by_name(case):
    call, error, message = BAD_CALLS[case]
    with pytest.raises(error, match=message):
        call(model(max_length=11), padded_sources(), symbols(T, V))
