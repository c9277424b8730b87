"""Speculative decoding: whatever is guessed, the answer is greedy decoding's."""

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

from tfbook import KeyValueCache, greedy_decode, speculative_decode
from tfbook.baselines.sequence_lstm import SequenceLSTM


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
        # each pass reads the guess and gives one symbol beyond it
        ("the next alone", [2] * (LONGEST // 2) + [1] * (LONGEST % 2)),
    ):
        passes.clear()
        speculative_decode(model, source, START, -1, LONGEST, guesses[name])
        assert passes == wanted, name


def test_no_symbol_is_guessed_after_a_stop(monkeypatch):
    """Whatever stands behind a stop in a guess is not said."""
    for seed in SEEDS:
        model = lively(seed=seed)
        for source in sources().split(1):
            greedy = greedy_decode(model, source, START, STOP, LONGEST)
            if greedy.size(1) < LONGEST:
                found = speculative_decode(
                    model,
                    source,
                    START,
                    STOP,
                    LONGEST,
                    drafts(greedy[0])["far too long"],
                )
                assert found.shape == greedy.shape
                return
    raise AssertionError("a model that stops is needed")


def test_what_the_draft_is_given_is_its_own():
    model, source = lively(), sources()[:1]

    def greedy_hands(said):
        said.clear()
        return []

    found = speculative_decode(model, source, START, STOP, LONGEST, greedy_hands)
    assert torch.equal(found, greedy_decode(model, source, START, STOP, LONGEST))


@pytest.mark.parametrize(
    ("guess", "told"),
    [
        ([V], f"from 0 to {V - 1}, got \\[{V}\\]"),
        ([-1], "got \\[-1\\]"),
        ([3.5], "got \\[3.5\\]"),
        (None, "got None"),
        (torch.tensor([3]), "got tensor"),
    ],
)
def test_a_bad_guess_is_refused(guess, told):
    model, source = lively(), symbols(S, SOURCE_VOCAB)[:1]
    with pytest.raises(ValueError, match=f"draft must return .*{told}"):
        speculative_decode(model, source, START, STOP, 5, lambda said: guess)


def test_several_rows_are_refused():
    model, source = lively(), symbols(S, SOURCE_VOCAB)
    with pytest.raises(ValueError, match="source and start must have 1 row, got"):
        speculative_decode(model, source, START, STOP, 5, lambda said: [])


def test_a_state_cannot_be_cropped():
    model, source = (
        build(SequenceLSTM, n_heads=1, d_model=30),
        symbols(S, SOURCE_VOCAB)[:1],
    )
    with pytest.raises(TypeError, match=r"cache must hold .* to be cropped"):
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


def test_the_answer_can_be_learned_from():
    """What comes out is no tensor that autograd refuses."""
    model, source = lively().train(), symbols(S, SOURCE_VOCAB)[:1]
    for said in (
        speculative_decode(model, source, START, -1, 5, lambda said: [3, 4]),
        greedy_decode(model, source, START, -1, 5),
    ):
        model(source, said).sum().backward()
        assert model.target_embedding.tokens.weight.grad is not None
