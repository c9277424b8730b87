"""Speculative decoding: whatever is guessed, the answer is greedy decoding's."""

import math
import random

import pytest
import torch
from subjects import SOURCE_VOCAB, S, T, V, build, symbols
from test_decoding import (
    LONGEST,
    POSITIONS,
    SEEDS,
    START,
    STOP,
    DecoderOnly,
    lively,
    sources,
)

from tfbook import KeyValueCache, Transformer, greedy_decode, speculative_decode
from tfbook.model.gpt import GPT
from tfbook.tasks.pronunciation.sequence_lstm import SequenceLSTM


def drafts(answer):
    """Guesses by name: a function from the answer so far to what may follow."""
    whole = [STOP if i == 0 else i for i in answer.tolist()]
    luck = random.Random(0)

    def half_wrong(said):
        return [
            i if luck.random() < 0.6 else luck.randrange(V)
            for i in whole[len(said) :]
        ]

    return {
        "right": lambda said: whole[len(said) :],
        "none": lambda said: [],
        "half wrong": half_wrong,
        "wrong": lambda said: [3] * 7,
        "far too long": lambda said: whole[len(said) :] + [STOP] * 100,
        "the next alone": lambda said: whole[len(said) : len(said) + 1],
    }


def counted(model, monkeypatch):
    """A list that grows by the number of symbols that each pass of the model reads."""
    passes, whole = [], model.decode

    def decode(target, *arguments, **keywords):
        passes.append(target.size(1))
        return whole(target, *arguments, **keywords)

    monkeypatch.setattr(model, "decode", decode)
    return passes


@POSITIONS
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_guessed_the_answer_is_greedy_decodings(positions, seed):
    model = lively(positions=positions, seed=seed)
    for source in sources().split(1):
        greedy = greedy_decode(model, source, START, STOP, LONGEST)
        for name, draft in drafts(greedy[0]).items():
            found = speculative_decode(model, source, START, STOP, LONGEST, draft)
            assert torch.equal(found, greedy), name


@pytest.mark.parametrize("longest", [1, 2, 3, LONGEST])
def test_at_any_length_and_without_an_encoder(longest):
    prefix = symbols(T, V)[:1, :4]
    for seed in SEEDS:
        model = lively(DecoderOnly, seed=seed)
        greedy = greedy_decode(model, None, prefix, STOP, longest)
        for name, draft in drafts(greedy[0]).items():
            found = speculative_decode(model, None, prefix, STOP, longest, draft)
            assert torch.equal(found, greedy), name


def test_a_right_guess_takes_one_pass_and_a_wrong_one_no_symbol_more(monkeypatch):
    # a model that never stops, so that the counts are exact
    model, source = lively(seed=0), sources()[:1]
    greedy = greedy_decode(model, source, START, -1, LONGEST)
    guesses = drafts(greedy[0])
    passes = counted(model, monkeypatch)
    for name, wanted in (
        # the last symbol of all is not read: nothing follows it
        ("right", [LONGEST]),
        ("none", [1] * LONGEST),
        # of seven wrong ones none is kept, and none is read where nothing follows
        ("wrong", [1 + min(7, LONGEST - 1 - n) for n in range(LONGEST)]),
        # each pass reads the guess and gives one symbol beyond it
        ("the next alone", [2] * (LONGEST // 2) + [1] * (LONGEST % 2)),
    ):
        passes.clear()
        speculative_decode(model, source, START, -1, LONGEST, guesses[name])
        assert passes == wanted, name


def test_what_stands_behind_a_stop_in_a_guess_is_not_said(monkeypatch):
    found = []
    for seed in SEEDS:
        model = lively(seed=seed)
        passes = counted(model, monkeypatch)
        for source in sources().split(1):
            greedy = greedy_decode(model, source, START, STOP, LONGEST)
            if greedy.size(1) < LONGEST:
                draft = drafts(greedy[0])["far too long"]
                passes.clear()
                said = speculative_decode(
                    model, source, START, STOP, LONGEST, draft
                )
                assert torch.equal(said, greedy)
                found.append(len(passes))
    assert found and set(found) == {1}


def test_what_the_draft_is_given_is_its_own():
    model, source = lively(), sources()[:1]

    def greedy_hands(said):
        said.clear()
        return []

    found = speculative_decode(model, source, START, STOP, LONGEST, greedy_hands)
    assert torch.equal(found, greedy_decode(model, source, START, STOP, LONGEST))


@pytest.mark.parametrize(
    ("guess", "error", "told"),
    [
        ([V], ValueError, f"ids from 0 to {V - 1}, got \\[{V}\\]"),
        ([-1], ValueError, "ids .*got \\[-1\\]"),
        ([3.0], TypeError, "a list of int, got \\[3.0\\]"),
        ([True], TypeError, "a list of int, got \\[True\\]"),
        (None, TypeError, "a list of int, got None"),
        (torch.tensor([3]), TypeError, "a list of int, got tensor"),
    ],
)
def test_a_bad_guess_is_refused(guess, error, told):
    model, source = lively(), symbols(S, SOURCE_VOCAB)[:1]
    with pytest.raises(error, match=f"draft must return {told}"):
        speculative_decode(model, source, START, STOP, 5, lambda said: guess)


@pytest.mark.parametrize(
    "rows", [{"source": 3, "start": 1}, {"source": 0, "start": 2}]
)
def test_several_rows_are_refused(rows):
    source = symbols(S, SOURCE_VOCAB)[: rows["source"]] if rows["source"] else None
    model = lively(Transformer if rows["source"] else DecoderOnly)
    start = symbols(T, V)[: rows["start"]]
    with pytest.raises(ValueError, match="source and start must have 1 row, got"):
        speculative_decode(model, source, start, STOP, 5, lambda said: [])


def test_logits_that_are_not_finite_are_refused():
    model, source = lively(), symbols(S, SOURCE_VOCAB)[:1]
    with torch.no_grad():
        model.output.weight[5] = math.nan
    with pytest.raises(
        ValueError, match=r"^model must give finite logits, got nan"
    ):
        speculative_decode(model, source, START, STOP, 5, lambda said: [3, 4])


@pytest.mark.parametrize("layers", [1, 2])
def test_a_state_cannot_be_cropped(layers):
    """Not even one that is as long as there are positions."""
    model = build(SequenceLSTM, n_heads=1, d_model=30, n_layers=layers)
    source = symbols(S, SOURCE_VOCAB)[:1]
    with pytest.raises(TypeError, match="layers must keep"):
        speculative_decode(model, source, START, STOP, 5, lambda said: [])


def test_a_cropped_cache_is_one_that_never_saw_more():
    """Also where the memory is as long as what is cut: it stays whole."""
    model, source = lively(), symbols(S, SOURCE_VOCAB)
    target = symbols(S + 2, V)
    memory = model.encode(source)
    cache, alone = KeyValueCache(), KeyValueCache()
    model.decode(target[:, :S], memory, cache=cache)  # S positions, memory of S
    cache.crop(3)
    assert cache.length == 3
    model.decode(target[:, :3], memory, cache=alone)
    for piece in (target[:, 3:4], target[:, 4:7]):
        torch.testing.assert_close(
            model.decode(piece, memory, cache=cache),
            model.decode(piece, memory, cache=alone),
            atol=1e-10,
            rtol=0,
        )


def test_dropout_is_off_and_every_module_keeps_its_own_mode():
    model, source = lively(dropout=0.5).train(), sources()[:1]
    model.encoder.eval()
    before = [module.training for module in model.modules()]
    greedy = greedy_decode(model, source, START, -1, LONGEST)
    for name, draft in drafts(greedy[0]).items():
        found = speculative_decode(model, source, START, -1, LONGEST, draft)
        assert torch.equal(found, greedy), name
    assert [module.training for module in model.modules()] == before

    def broken(said):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        speculative_decode(model, source, START, -1, LONGEST, broken)
    assert [module.training for module in model.modules()] == before


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_gpt_guesses_what_it_said_before(positions):
    """Its guess is what followed the last symbol when it came the time before."""
    model = lively(GPT, positions=positions, max_length=40)
    prefix = symbols(T, V)[:1]
    # as many as the model's positions allow
    longest = 40 - T + 1
    greedy = greedy_decode(model, None, prefix, -1, longest)

    def draft(said):
        text = [*prefix[0].tolist(), *said]
        earlier = [i for i, x in enumerate(text[:-1]) if x == text[-1]]
        return text[earlier[-1] + 1 :][:4] if earlier else []

    found = speculative_decode(model, None, prefix, -1, longest, draft)
    assert torch.equal(found, greedy) and found.size(1) == longest
