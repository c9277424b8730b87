"""Decoding against loops and enumerations that know nothing of caches or beams."""

import inspect
import itertools
import math

import pytest
import torch
from invariants import assert_same
from subjects import SOURCE_VOCAB, B, S, T, V, build, symbols
from torch import nn

from tfbook import (
    Decoder,
    KeyValueCache,
    Transformer,
    TransformerConfig,
    beam_search,
    beam_search_nbest,
    causal_mask,
    greedy_decode,
    padding_mask,
    sample,
)
from tfbook.decoding.stepwise import candidates, draw
from tfbook.model.config import CHOICES
from tfbook.model.gpt import GPT
from tfbook.model.layers import InputEmbedding
from tfbook.tasks.python_source.gpt import END, load_python_gpt

START, STOP, PAD, LONGEST = 1, 2, 0, 19
SEEDS = (
    0,
    2,
    5,
    7,
    9,
)  # of models of which some stop at once, some late, some never
POSITIONS = pytest.mark.parametrize("positions", CHOICES["positions"])


class DecoderOnly(nn.Module):
    """The least that decoding asks of a model without an encoder."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embedding = InputEmbedding(config.target_vocab, config)
        self.stack = Decoder(config, cross_attention=False)
        self.output = nn.Linear(config.d_model, config.target_vocab)

    def decode(self, target, memory=None, source_mask=None, cache=None):
        past = 0 if cache is None else cache.length
        keep = padding_mask(target)
        keep = keep if cache is None else cache.extend(keep)
        mask = keep & causal_mask(target.size(1), past)
        return self.output(
            self.stack(self.embedding(target, past), mask=mask, cache=cache)
        )


def lively(kind=Transformer, seed=0, **changes):
    """A model in float64 whose answers differ from row to row and end early, late or never: its
    weights are those it starts with, but larger. It never says pad, as a trained one would not.
    """
    model = build(kind, seed=seed, tie_embeddings=False, **changes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.7

    def without_pad(layer, arguments, logits):
        return logits.index_fill(-1, torch.tensor([PAD]), -50.0)

    model.output.register_forward_hook(without_pad)
    return model


def sources():
    """Ids (B, S), two of the three rows padded."""
    source = symbols(S, SOURCE_VOCAB)
    source[1, 5:] = source[2, 8:] = PAD
    return source


def naive_greedy(model, source, prefix, longest):
    """One row, one symbol at a time, each time from the beginning: the symbols before the stop."""
    found = []
    while len(found) < longest:
        target = torch.tensor([[*prefix, *found]])
        logits = (
            model(source[None], target)
            if source is not None
            else model.decode(target)
        )
        best = int(logits[0, -1].argmax())
        if best == STOP:
            break
        found.append(best)
    return found


def without_pads(row):
    """The list of a row's ids, up to the pads at its end."""
    ids = row.tolist()
    while ids and ids[-1] == PAD:
        ids.pop()
    return ids


@POSITIONS
@pytest.mark.parametrize("seed", SEEDS)
def test_greedy_is_the_naive_loop(positions, seed):
    model, source = lively(positions=positions, seed=seed), sources()
    with torch.no_grad():
        wanted = [
            naive_greedy(model, row[row != PAD], [START], LONGEST) for row in source
        ]
    for cache in (True, False):
        got = greedy_decode(model, source, START, STOP, LONGEST, cache=cache)
        width = min(
            LONGEST, max(map(len, wanted)) + 1
        )  # and one place for the stop
        assert got.shape == (B, width)
        for row, ids in zip(got.tolist(), wanted, strict=True):
            assert row == (ids + [PAD] * width)[:width]


def test_the_models_used_here_stop_early_late_and_never():
    lengths = [
        len(without_pads(row))
        for seed in SEEDS
        for row in greedy_decode(lively(seed=seed), sources(), START, STOP, LONGEST)
    ]
    assert min(lengths) == 0 and max(lengths) == LONGEST and len(set(lengths)) > 6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_beam_of_one_is_greedy(seed):
    model, source = lively(seed=seed), sources()
    wanted = greedy_decode(model, source, START, STOP, LONGEST)
    assert torch.equal(
        beam_search(model, source, START, STOP, LONGEST, beam=1), wanted
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_sampling_from_the_best_alone_is_greedy(seed):
    model, source = lively(seed=seed), sources()
    wanted = greedy_decode(model, source, START, STOP, LONGEST)
    assert torch.equal(sample(model, source, START, STOP, LONGEST, top_k=1), wanted)
    assert torch.equal(
        sample(model, source, START, STOP, LONGEST, top_p=1e-6), wanted
    )
    assert torch.equal(
        sample(model, source, START, STOP, LONGEST, temperature=1e-4), wanted
    )


def log_probability(model, source, ids, stopped, prefix=(START,)):
    """Of ids, and of the stop behind them, by one full forward."""
    target = torch.tensor([[*prefix, *ids]])
    wanted = torch.tensor([*ids, STOP] if stopped else ids)
    with torch.no_grad():
        logits = model(source[None], target)[0, len(prefix) - 1 :]
    chosen = logits.log_softmax(-1)[torch.arange(len(wanted)), wanted]
    return chosen.sum().item()


def own_score(log_probability, n, length_penalty):
    """What beam search goes by: of n symbols, the stop included."""
    return log_probability / ((5 + n) / 6) ** length_penalty


def everything(model, source, longest, vocab):
    """All (ids, log-probability, symbols): stopped after fewer than `longest`, or cut off there."""
    for n in range(longest + 1):
        for ids in itertools.product(
            [v for v in range(vocab) if v != STOP], repeat=n
        ):
            stopped = n < longest
            yield (
                list(ids),
                log_probability(model, source, ids, stopped),
                n + stopped,
            )


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_a_beam_that_holds_everything_finds_the_best(length_penalty):
    vocab, longest = 5, 3
    config = TransformerConfig(
        SOURCE_VOCAB, vocab, d_model=30, n_heads=5, n_layers=2, d_ff=23
    )
    torch.manual_seed(4)
    model, source = Transformer(config).double().eval(), sources()[:2, :5]
    nbest = beam_search_nbest(
        model, source, START, STOP, longest, 100, length_penalty
    )
    best = beam_search(model, source, START, STOP, longest, 100, length_penalty)
    for row, ids, found in zip(source, best, nbest, strict=True):
        answers = list(everything(model, row, longest, vocab))
        ranked = sorted(answers, key=lambda each: each[1], reverse=True)
        best_of_all = max(
            answers, key=lambda each: own_score(*each[1:], length_penalty)
        )
        assert len(found) == len(ranked) == 1 + 4 + 16 + 64
        for (got, score), (wanted, exact, _) in zip(found, ranked, strict=True):
            assert got.tolist() == wanted
            assert score == pytest.approx(
                exact, abs=1e-5
            )  # scores are kept in float32
        assert ids.tolist() == (best_of_all[0] + [PAD] * longest)[: ids.numel()]


def test_the_penalty_chooses_between_short_and_long():
    """Without one a sum of log-probabilities favours the short; a larger one favours the long."""
    totals = []
    for length_penalty in (-2.0, 0.0, 2.0):
        found = [
            len(without_pads(row))
            for seed in SEEDS
            for row in beam_search(
                lively(seed=seed),
                sources(),
                START,
                STOP,
                LONGEST,
                7,
                length_penalty,
            )
        ]
        totals.append(sum(found))
    assert totals == sorted(totals) and totals[0] < totals[-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_nbest_is_sorted_distinct_and_truly_scored(seed):
    model, source, beam = lively(seed=seed), sources(), 4
    found = beam_search_nbest(model, source, START, STOP, LONGEST, beam)
    best = beam_search(model, source, START, STOP, LONGEST, beam)
    assert len(found) == B
    for row, hypotheses, first in zip(source, found, best, strict=True):
        assert len({tuple(ids.tolist()) for ids, _ in hypotheses}) == beam
        scores = [score for _, score in hypotheses]
        assert scores == sorted(scores, reverse=True) and len(scores) == beam
        own = {}
        for ids, score in hypotheses:
            stopped = len(ids) < LONGEST
            assert not ids.eq(STOP).any()
            exact = log_probability(model, row[row != PAD], ids.tolist(), stopped)
            assert score == pytest.approx(exact, rel=1e-5)
            own[own_score(score, len(ids) + stopped, 0.6)] = ids.tolist()
        assert without_pads(first) == own[max(own)]


def decoders():
    yield "greedy", greedy_decode
    yield "beam", beam_search
    yield "sample", lambda *arguments: sample(*arguments, top_k=1)


@pytest.mark.parametrize(
    "decode", [d for _, d in decoders()], ids=[n for n, _ in decoders()]
)
def test_rows_do_not_depend_on_their_batch(decode):
    model, source = lively(seed=7), sources()
    together = decode(model, source, START, STOP, LONGEST)
    for row, ids in zip(source, together, strict=True):
        alone = decode(model, row[None, row != PAD], START, STOP, LONGEST)
        assert without_pads(alone[0]) == without_pads(ids)


@pytest.mark.parametrize(
    "decode", [d for _, d in decoders()], ids=[n for n, _ in decoders()]
)
def test_a_prefix_is_continued(decode):
    model, source = lively(seed=0), sources()
    prefix = [START, 5, 7]
    short = decode(model, source, prefix, STOP, 11)
    assert torch.equal(decode(model, source, torch.tensor(prefix), STOP, 11), short)
    assert torch.equal(
        decode(model, source, torch.tensor([prefix] * B), STOP, 11), short
    )
    own = torch.tensor([[START, 5, 7], [START, 9, 4], [START, 3, 3]])
    each = decode(model, source, own, STOP, 11)
    assert without_pads(each[0]) == without_pads(short[0])
    if decode is not beam_search:
        for row, ids, got in zip(source, own, each, strict=True):
            wanted = naive_greedy(model, row[row != PAD], ids.tolist(), 11)
            assert without_pads(got) == wanted


@POSITIONS
def test_a_decoder_alone(positions):
    model = lively(DecoderOnly, positions=positions, seed=3)
    prefix = symbols(T, V)
    with torch.no_grad():
        wanted = [naive_greedy(model, None, row.tolist(), 11) for row in prefix]
    for got in (
        greedy_decode(model, None, prefix, STOP, 11),
        greedy_decode(model, None, prefix, STOP, 11, cache=False),
        beam_search(model, None, prefix, STOP, 11, beam=1),
        sample(model, None, prefix, STOP, 11, top_k=1),
    ):
        assert [without_pads(row) for row in got] == wanted
    assert (
        without_pads(greedy_decode(model, None, prefix[0], STOP, 11)[0])
        == wanted[0]
    )


def one_step(model, n, **choices):
    """How often each symbol is drawn first, in n draws, and the probabilities of all."""
    source = sources()[:1]
    generator = torch.Generator().manual_seed(7)
    drawn = sample(
        model, source.expand(n, -1), START, STOP, 1, generator=generator, **choices
    )
    with torch.no_grad():
        logits = model(source, torch.tensor([[START]]))[0, -1]
    # the stop is drawn like any symbol, and returned as a pad, which this model may draw as well
    return torch.bincount(drawn[:, 0], minlength=V), logits


def as_returned(probabilities):
    probabilities = probabilities.clone()
    probabilities[PAD] += probabilities[STOP]
    probabilities[STOP] = 0.0
    return probabilities


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_symbols_are_drawn_as_often_as_they_are_probable(temperature):
    n = 8_000
    counts, logits = one_step(build(Transformer), n, temperature=temperature)
    p = as_returned((logits / temperature).softmax(-1))
    # five standard deviations of a binomial count, and one draw for those hardly ever drawn
    assert ((counts - n * p).abs() <= 5 * (n * p * (1 - p)).sqrt() + 1).all()
    other = as_returned((logits / (temperature * 2)).softmax(-1))
    assert (
        (counts - n * other).abs() > 5 * (n * other * (1 - other)).sqrt() + 1
    ).any()


@pytest.mark.parametrize(
    "choices",
    [{"top_k": 3}, {"top_p": 0.6}, {"top_p": 0.9}, {"top_k": 4, "top_p": 0.7}],
    ids=str,
)
def test_top_k_and_top_p_keep_the_most_probable(choices):
    n = 8_000
    counts, logits = one_step(build(Transformer), n, **choices)
    p = logits.softmax(-1)
    order = p.argsort(descending=True).tolist()
    kept = order[: choices.get("top_k", V)]
    if "top_p" in choices:
        enough = next(
            k for k in range(1, V + 1) if p[order[:k]].sum() >= choices["top_p"]
        )
        kept = kept[:enough]
    share = torch.zeros_like(p)
    share[kept] = p[kept] / p[kept].sum()
    share = as_returned(share)
    assert set(counts.nonzero().flatten().tolist()) == set(
        share.nonzero().flatten().tolist()
    )
    assert (
        (counts - n * share).abs() <= 5 * (n * share * (1 - share)).sqrt() + 1
    ).all()


def test_a_seed_repeats_the_draws():
    model, source = build(Transformer), sources()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample(
            model, source, START, STOP, LONGEST, generator=generator
        ).tolist()

    assert draw(1) == draw(1) != draw(2)


def all_decoders():
    return [greedy_decode, beam_search, beam_search_nbest, sample]


@pytest.mark.parametrize("decode", all_decoders())
@pytest.mark.parametrize("training", [True, False])
def test_it_decodes_in_eval_mode_without_gradients_and_restores_the_mode(
    decode, training
):
    model, seen = build(Transformer, dropout=0.5).train(training), []
    model.output.register_forward_hook(
        lambda layer, _, logits: seen.append((layer.training, logits.requires_grad))
    )
    decode(model, sources(), START, STOP, 5)
    assert set(seen) == {(False, False)}
    assert {module.training for module in model.modules()} == {training}
    with pytest.raises(ValueError, match="vocabulary"):
        decode(model, sources(), V, STOP, 5)
    assert {module.training for module in model.modules()} == {training}
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("decode", [greedy_decode, beam_search, sample])
def test_from_the_stop_on_all_is_pad(decode):
    """Stop is never returned, and what follows it is pad."""
    model = lively(seed=7)
    rows = decode(model, sources(), START, STOP, LONGEST)
    assert rows.shape[0] == B and rows.shape[1] <= LONGEST
    assert not rows.eq(STOP).any()
    ended = rows.eq(PAD).int()
    assert (ended.diff(dim=1) >= 0).all()  # once pad, always pad
    assert ended.any() and not ended[:, 0].all()


def test_stop_at_once_leaves_one_column_of_pads():
    model = build(Transformer)

    def always_stop(layer, arguments, logits):
        return torch.zeros_like(logits).index_fill(-1, torch.tensor([STOP]), 50.0)

    model.output.register_forward_hook(always_stop)
    for decode in (greedy_decode, beam_search, sample):
        assert decode(model, sources(), START, STOP, 5).tolist() == [[PAD]] * B


def test_a_beam_wider_than_the_vocabulary_and_a_model_at_its_limit():
    model = lively(seed=1, max_length=11)
    found = beam_search(model, sources(), START, STOP, 11, beam=2 * V)
    assert found.shape[1] <= 11


def test_the_cache_is_on_unless_asked():
    assert inspect.signature(greedy_decode).parameters["cache"].default is True


def test_log_probabilities_of_a_beam_agree_with_the_prefix_given():
    model, source, prefix = lively(seed=1), sources(), (START, 5, 7)
    for row, hypotheses in zip(
        source, beam_search_nbest(model, source, list(prefix), STOP, 7), strict=True
    ):
        for ids, score in hypotheses:
            exact = log_probability(
                model, row[row != PAD], ids.tolist(), len(ids) < 7, prefix
            )
            assert_same(
                torch.tensor(score), torch.tensor(exact), "the score after a prefix"
            )


def naive_finished(model, source, beam):
    """One row's beam search in lists, each step from the beginning and never ended early: of all
    continuations the best `beam`, greedy decoding's among them; those that stop are done.
    """
    greedy = [*naive_greedy(model, source, [START], LONGEST), STOP]
    alive, done = [([], 0.0)], []
    for n in range(1, LONGEST + 1):
        grown = []
        for ids, score in alive:
            logits = model(source[None], torch.tensor([[START, *ids]]))[0, -1]
            after = enumerate(logits.log_softmax(-1).tolist())
            grown += [([*ids, symbol], score + more) for symbol, more in after]
        grown.sort(key=lambda each: (each[0] == greedy[:n], each[1]), reverse=True)
        kept = grown[:beam]
        done += [(ids[:-1], score, n) for ids, score in kept if ids[-1] == STOP]
        alive = [(ids, score) for ids, score in kept if ids[-1] != STOP]
        if not alive:
            break
    return done + [(ids, score, LONGEST) for ids, score in alive]


def naive_beams(model, source, beam, penalty):
    """The best `beam` of what is finished, the most probable first."""
    done = naive_finished(model, source, beam)
    done.sort(key=lambda each: own_score(*each[1:], penalty), reverse=True)
    return sorted(done[:beam], key=lambda each: each[1], reverse=True)


@pytest.mark.parametrize("beam", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_beam_search_is_the_naive_one(seed, beam):
    """Which never ends early: what ends a row's search early costs no answer."""
    model, rows = lively(seed=seed), sources()
    with torch.no_grad():
        done = [naive_finished(model, row[row != PAD], beam) for row in rows]
    for penalty in (-2.0, 0.0, 0.6, 2.0):
        arguments = model, rows, START, STOP, LONGEST, beam, penalty
        nbest, best = beam_search_nbest(*arguments), beam_search(*arguments)
        for hypotheses, first, wanted in zip(nbest, best, done, strict=True):
            wanted.sort(
                key=lambda each: own_score(*each[1:], penalty), reverse=True
            )
            assert without_pads(first) == wanted[0][0]
            ranked = sorted(wanted[:beam], key=lambda each: each[1], reverse=True)
            for (ids, score), (same, exact, _) in zip(
                hypotheses, ranked, strict=True
            ):
                assert ids.tolist() == same
                assert score == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("beam", [1, 2, 3, 5])
def test_no_answer_scores_below_greedy_decodings(beam):
    """A plain beam search drops the greedy sequence where others look better for a while."""
    better = 0
    for seed, penalty in itertools.product(range(6), (-2.0, 0.0, 0.6, 2.0)):
        model, source = lively(seed=seed), sources()
        greedy = greedy_decode(model, source, START, STOP, LONGEST)
        found = beam_search(model, source, START, STOP, LONGEST, beam, penalty)
        for row, *answers in zip(source, greedy, found, strict=True):
            scores = []
            for ids in map(without_pads, answers):
                stopped = len(ids) < LONGEST
                exact = log_probability(model, row[row != PAD], ids, stopped)
                scores.append(own_score(exact, len(ids) + stopped, penalty))
            assert scores[1] >= scores[0] - 1e-9
            better += scores[1] > scores[0] + 1e-9
    assert (better > 0) == (beam > 1)


def test_a_search_ends_when_nothing_living_can_win():
    """The stop has nearly all probability at once: one pass, though one of four has finished."""
    model, passes = build(Transformer), []

    def nearly_always_stop(layer, arguments, logits):
        passes.append(len(logits))
        return logits.index_fill(-1, torch.tensor([STOP]), 30.0)

    model.output.register_forward_hook(nearly_always_stop)
    for penalty in (-1.0, 0.0, 0.6):
        found = beam_search(model, sources(), START, STOP, LONGEST, 4, penalty)
        assert found.tolist() == [[PAD]] * B and passes == [4 * B]
        passes.clear()
    # for a longer list, and where length counts for more than any probability, it goes on
    beam_search_nbest(model, sources(), START, STOP, LONGEST, 4)
    assert 1 < len(passes) < LONGEST
    passes.clear()
    beam_search(model, sources(), START, STOP, LONGEST, 4, 60.0)
    assert len(passes) == LONGEST


@pytest.mark.parametrize("penalty", [math.inf, -math.inf, math.nan, 1e3, -1e3])
def test_a_penalty_beyond_what_floats_hold(penalty):
    with pytest.raises(ValueError, match=f"^length_penalty must .*got {penalty}"):
        beam_search(build(Transformer), sources(), START, STOP, 5, 4, penalty)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_beam_is_greedy_among_equals(dtype):
    """Half precision makes ties: of equal symbols, both take the first."""
    for seed in range(7):
        torch.manual_seed(seed)
        config = TransformerConfig(
            11, 499, d_model=10, n_heads=1, n_layers=1, d_ff=17
        )
        model = Transformer(config).to(dtype)
        source = torch.randint(1, 11, (5, 7))
        greedy = greedy_decode(model, source, 1, 2, 13)
        assert torch.equal(beam_search(model, source, 1, 2, 13, beam=1), greedy)


def test_every_module_keeps_its_own_mode():
    config = TransformerConfig(11, 13, d_model=10, n_heads=1, n_layers=1, d_ff=17)
    model = Transformer(config).train()
    model.encoder.eval()
    before = [module.training for module in model.modules()]
    greedy_decode(model, torch.randint(1, 11, (2, 3)), 1, 2, 5)
    assert [module.training for module in model.modules()] == before
    assert len(set(before)) == 2


@POSITIONS
def test_rows_that_share_a_memory_get_what_rows_with_their_own_would(positions):
    model, n = lively(positions=positions), 2
    source = symbols(S, SOURCE_VOCAB)
    target = symbols(T, V).repeat_interleave(n, 0)
    target[1::n] = target[1::n].flip(1)  # the two of a row differ
    memory, mask = model.encode(source), padding_mask(source)
    cache, alone = KeyValueCache(), KeyValueCache()
    wide, wide_mask = memory.repeat_interleave(n, 0), mask.repeat_interleave(n, 0)
    keep = torch.tensor([3, 2, 5, 4])  # rows of the second and third memory
    for piece, other in ((target[:, :3], None), (target[keep, 3:], keep)):
        if other is not None:
            cache.select(keep)
            alone.select(keep)
            memory, mask, wide, wide_mask = (
                memory[1:3],
                mask[1:3],
                *(x[keep] for x in (wide, wide_mask)),
            )
        shared = model.decode(piece, memory, mask, cache=cache)
        assert_same(
            shared, model.decode(piece, wide, wide_mask, cache=alone), "shared"
        )
    with pytest.raises(
        ValueError, match="memory must have the target's batch of 4"
    ):
        model.decode(target[:4], model.encode(source)[:3], cache=KeyValueCache())
    with pytest.raises(
        ValueError, match="memory must have the target's batch of 4"
    ):
        model.decode(target[:4], model.encode(source)[:2])


@pytest.mark.parametrize("width", [1, 4])
def test_rows_that_have_stopped_are_computed_no_more(width, monkeypatch):
    dropped = 0
    for seed in SEEDS:
        model, rows = lively(seed=seed), []
        source, whole = symbols(S, SOURCE_VOCAB), model.decode

        def decoded(target, *arguments, whole=whole, rows=rows, **keywords):
            rows.append(len(target))
            return whole(target, *arguments, **keywords)

        monkeypatch.setattr(model, "decode", decoded)
        if width == 1:
            answers = greedy_decode(model, source, START, STOP, LONGEST)
            living = (
                (answers != PAD).sum(dim=0).tolist()
            )  # rows with a symbol there
            assert rows == [len(source), *living[: len(rows) - 1]]
        else:
            beam_search(model, source, START, STOP, LONGEST, width)
        assert rows[0] == width * len(source) and rows == sorted(rows, reverse=True)
        dropped += rows[0] - rows[-1]
    assert dropped > 0


def test_top_p_of_one_leaves_nothing_out():
    logits = 3 * torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0))
    chances, _ = candidates(logits, top_p=1.0)
    assert torch.equal(chances, candidates(logits)[0]) and (chances > 0).all()
    assert (candidates(logits, top_p=0.999)[0] == 0).any()


def test_among_equals_the_first_is_drawn():
    ids = candidates(torch.zeros(1, 5_000), top_k=1)[1]
    assert ids[0].tolist() == list(range(5_000))


@pytest.mark.parametrize("decode", all_decoders())
@pytest.mark.parametrize(
    ("value", "symbols"),
    [
        (math.nan, [5]),
        (math.nan, [STOP]),
        (math.inf, [5]),
        (-math.inf, [*range(V)]),
    ],
    ids=str,
)
@pytest.mark.parametrize("longest", [1, 5])
def test_logits_that_are_not_finite_are_refused(decode, value, symbols, longest):
    """Even in a single row, and from the first step on or in the last one."""
    model = lively()

    def broken(layer, arguments, logits):
        logits[-1, -1, symbols] = value
        return logits

    model.output.register_forward_hook(broken)
    with pytest.raises(ValueError, match=r"^model must give finite logits, got"):
        decode(model, sources(), START, -1, longest)


def test_symbols_that_a_model_rules_out_are_never_chosen():
    model = lively()

    def without_some(layer, arguments, logits):
        return logits.index_fill(-1, torch.tensor([4, 7, STOP]), -math.inf)

    model.output.register_forward_hook(without_some)
    for decode in (greedy_decode, beam_search, sample):
        found = decode(model, sources(), START, STOP, LONGEST)
        assert found.shape == (B, LONGEST)
        assert not torch.isin(found, torch.tensor([4, 7, STOP])).any()
    for hypotheses in beam_search_nbest(model, sources(), START, STOP, 1, V):
        assert len(hypotheses) == V - 3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-320, 1e-40, 1e-38, 1e-9])
def test_the_limit_of_low_temperatures_is_greedy(temperature, dtype):
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randperm(31, generator=generator) for _ in range(5)]
    logits = torch.stack(rows).to(dtype)  # no two of a row are equal
    logits = torch.cat((logits, logits - 100, logits * 1e4, logits * 1e-4))
    logits[:, 3] = -math.inf
    assert torch.equal(draw(logits, temperature), logits.argmax(-1))
    model, source = lively(seed=5).to(dtype), sources()
    wanted = greedy_decode(model, source, START, STOP, LONGEST)
    found = sample(model, source, START, STOP, LONGEST, temperature)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    "temperature", [math.inf, -math.inf, math.nan, 10**39, -1.0]
)
def test_a_temperature_without_a_limit_is_refused(temperature):
    with pytest.raises(ValueError, match=f"^temperature must be .*{temperature}"):
        sample(build(Transformer), sources(), START, STOP, 5, temperature)


def test_the_highest_temperature_draws_evenly():
    logits = torch.tensor([[-1e30, 0.0, 1e30, -math.inf]])
    chances, _ = candidates(logits, temperature=3e38)
    assert torch.allclose(chances, torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0.0]]))


@pytest.mark.parametrize("top_p", [1e-320, 1e-40, 1e-9])
def test_the_smallest_top_p_leaves_the_most_probable(top_p):
    logits = torch.randn(7, 31, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw(logits, top_p=top_p), logits.argmax(-1))


PROMPTS_WITH_PADS = {
    "left": [[12, 12, 12, 4, 5], [1, 2, 3, 4, 5]],
    "left by one": [[12, 2, 3, 4, 5], [1, 2, 3, 4, 5]],
    "right": [[4, 5, 12, 12, 12], [1, 2, 3, 4, 5]],
    "right by one": [[1, 2, 3, 4, 12], [1, 2, 3, 4, 5]],
    "left, one row": [[12, 12, 4, 5]],
    "right, one row": [4, 5, 12, 12],
    "left, all rows": [[12, 12, 12, 4], [12, 12, 3, 4]],
    "nothing else": [12, 12],
}


@POSITIONS
@pytest.mark.parametrize("name", PROMPTS_WITH_PADS)
def test_padded_prompts_are_refused(name, positions):
    model = lively(GPT, positions=positions, pad=V - 1)
    for decode in all_decoders():
        with pytest.raises(
            ValueError, match=r"^start must .*without padding: .*pads \(id 12\) in"
        ):
            decode(model, None, PROMPTS_WITH_PADS[name], STOP, 5)


@POSITIONS
@pytest.mark.parametrize(
    "start",
    [
        12,
        [12, 4, 5],
        [4, 5, 12],
        [4, 12, 5],
        [4, 12, 12, 5],
        [[12], [12]],
        [[12, 4], [12, 5]],
        [[4, 12, 6], [7, 8, 9]],
    ],
    ids=str,
)
def test_a_pad_may_be_a_symbol_of_a_prompt(start, positions):
    """As the end of a text is for GPT-2, which has no other pad."""
    model = lively(GPT, positions=positions, pad=V - 1)
    rows = torch.atleast_2d(torch.tensor(start)).tolist()
    with torch.no_grad():
        wanted = [naive_greedy(model, None, row, 7) for row in rows]
    for found in (
        greedy_decode(model, None, start, STOP, 7),
        greedy_decode(model, None, start, STOP, 7, cache=False),
        beam_search(model, None, start, STOP, 7, beam=1),
        sample(model, None, start, STOP, 7, top_k=1),
    ):
        for ids, answer in zip(found.tolist(), wanted, strict=True):
            assert ids == (answer + [12] * 7)[: len(ids)]


def test_an_encoder_decoder_may_start_with_its_pad():
    model, source = lively(), sources()
    with torch.no_grad():
        wanted = [naive_greedy(model, row[row != PAD], [PAD], 7) for row in source]
    found = greedy_decode(model, source, PAD, STOP, 7)
    assert [without_pads(row) for row in found] == wanted


def test_the_python_writer_starts_with_the_end_of_a_file():
    model, _ = load_python_gpt()
    alone = greedy_decode(model, None, END, END, 5)
    assert alone.shape == (1, 5) and (alone != END).any()
    text = torch.tensor([[END, *alone[0].tolist()]])
    with torch.no_grad():
        assert torch.equal(model(text)[:, :-1].argmax(-1), alone)
