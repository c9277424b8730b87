"""The scores of lesson 4.7 and what they score: bits per byte, functions that parse, n-grams of
ids, and the shipped weights.
"""

import dataclasses
import itertools
import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from tfbook import TransformerConfig, sample
from tfbook.data.byte_pairs import BytePairs
from tfbook.decoding.stepwise import candidates, draw
from tfbook.metrics import bits_per_byte, surprises
from tfbook.model.gpt import GPT
from tfbook.tasks.python_source.gpt import (
    PYTHON_GPT,
    load_python_gpt,
    python_config,
)
from tfbook.tasks.python_source.grammar import judged_lines, parses
from tfbook.tasks.python_source.source import SHA256, load_python_source, one_text
from tfbook.tasks.python_source.token_ngrams import TokenNGrams
from tfbook.training.presets import Preset
from tfbook.weights.stored import read_card

V, LONGEST = 13, 6


def tiny():
    torch.manual_seed(1)
    config = TransformerConfig(
        target_vocab=V,
        d_model=30,
        n_heads=5,
        n_layers=1,
        d_ff=23,
        max_length=LONGEST,
    )
    return GPT(config).double()


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 23])
def test_surprises_are_judged_with_half_a_window_before_them(n):
    """By the definition: each id by itself, from the ids of its own window."""
    model = tiny()
    ids = torch.randint(V, (n,), generator=torch.Generator().manual_seed(2))
    found = surprises(model, ids)
    wanted = []
    model.eval()
    for t in range(1, n):
        first = (
            (t - 1) // (LONGEST // 2) * (LONGEST // 2)
        )  # this half's first input
        start = max(0, first - LONGEST // 2)
        logits = model(ids[None, start:t])[0, -1]
        wanted.append(-logits.log_softmax(-1)[ids[t]].item())
        assert t - start >= min(t, LONGEST // 2)
    assert found.shape == (n - 1,)
    assert torch.allclose(found.double(), torch.tensor(wanted).double(), atol=1e-5)


@pytest.mark.parametrize("ids", [[], [3], [[3, 5]]])
def test_surprises_need_a_text(ids):
    with pytest.raises(
        ValueError, match=r"ids must be \(N,\) with N > 1, got shape"
    ):
        surprises(tiny(), torch.tensor(ids, dtype=torch.long))


def test_surprises_need_a_window():
    model = GPT(dataclasses.replace(tiny().config, max_length=1))
    with pytest.raises(ValueError, match="max_length must be at least 2, got 1"):
        surprises(model, torch.tensor([3, 5]))


def test_bits_per_byte():
    """A text of fair coins costs a bit each, whatever pieces its bytes were cut into."""
    assert bits_per_byte(torch.full((8,), math.log(2)), 8) == pytest.approx(1)
    assert bits_per_byte([math.log(16), math.log(4)], 3) == pytest.approx(2)
    with pytest.raises(ValueError, match="n_bytes must be at least 1, got 0"):
        bits_per_byte([1.0], 0)


HEAD = 'def f(x):\n    """Do."""'
METHOD = '    def f(self):\n        """Do."""'


@pytest.mark.parametrize(
    ("head", "continuation", "right"),
    [
        (HEAD, "\n    return x\n\ndef", True),
        (HEAD, "\n    return (x\n\ndef", False),
        (HEAD, "\n    return x +\n    y = 1\n", False),
        (HEAD, "\n  return x\n return y\n", False),
        (HEAD, "\n    x = 'a\n", False),
        (HEAD, "\n    if x:\n        return 1\n    else:\n", True),
        (HEAD, "\n    if x:\n    return 1\n", False),
        (HEAD, "\n    return x\n    @pro", True),
        (HEAD, "\n    return x\n    @decorated\n", True),
        (HEAD, "\n    for i in x:  # why\n", False),
        (HEAD, "\n    y = 1\n    for i in x:  # why\n", True),
        (HEAD, "\n\n\ndef g(", False),
        (HEAD, "", False),
        (HEAD, " and more without an end", False),
        (HEAD, "\n    x = 1\0\n", False),
        (HEAD, "\n    x = '\\d'\n    y", True),
        (HEAD, "\n    return x\n" + "garbage (" * 90, True),
        (METHOD, "\n        return self\n\n    def g(:\n", True),
        (METHOD, "\n    return self\n", False),
        (METHOD, "\n        return self.\n", False),
    ],
)
def test_parses(head, continuation, right, recwarn):
    assert parses(head, continuation) is right
    assert not recwarn


def test_judged_bytes_are_counted_as_bytes():
    """And a character that the cut divides is no character."""
    long = "\n    a = 1\n    b = 'ääää'\n    c = (\n"
    assert judged_lines(HEAD, long, 11) == ["", "    a = 1"]
    assert judged_lines(HEAD, long, 24) == ["", "    a = 1"]
    assert parses(HEAD, long, 34) and not parses(HEAD, long, 46)


def test_judged_bytes_are_a_count():
    with pytest.raises(ValueError, match="n_bytes must be at least 1, got -1"):
        parses(HEAD, "\n    return x\n", -1)


def test_candidates_are_the_likeliest_first():
    logits = torch.randn(3, V, generator=torch.Generator().manual_seed(3))
    chances, ids = candidates(logits, 0.7)
    assert torch.allclose(chances, (logits / 0.7).softmax(-1).gather(-1, ids))
    assert (chances.diff(dim=-1) <= 0).all()
    few, _ = candidates(logits, 0.7, top_k=4)
    assert torch.equal(few[:, :4], chances[:, :4]) and few[:, 4:].eq(0).all()
    for p in (0.05, 0.5, 0.9, 1.0):
        kept, _ = candidates(logits, top_p=p)
        whole, _ = candidates(logits)
        for row, all_of in zip(kept, whole, strict=True):
            n = int((row > 0).sum())
            assert all_of[:n].sum() >= p - 1e-6 and all_of[: n - 1].sum() < p


def test_draws_have_the_chances_of_the_candidates():
    logits = torch.tensor([[2.0, 0.0, 1.0, -1.0]]).expand(20000, 4)
    generator = torch.Generator().manual_seed(4)
    drawn = draw(logits, 0.5, top_k=3, generator=generator)
    counts = torch.bincount(drawn, minlength=4) / len(drawn)
    wanted = torch.tensor([4.0, 0.0, 2.0, -math.inf]).softmax(-1)
    assert torch.allclose(counts, wanted, atol=0.01) and counts[3] == 0


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"temperature": 0},
            ValueError,
            "temperature must be positive and finite, got 0",
        ),
        ({"temperature": "hot"}, TypeError, "temperature must be a number"),
        ({"top_p": 0}, ValueError, r"top_p must be in \(0, 1\], got 0"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1, got 0"),
    ],
)
def test_bad_settings(settings, error, words):
    with pytest.raises(error, match=words):
        candidates(torch.zeros(1, V), **settings)
    with pytest.raises(error, match=words):
        sample(tiny(), None, 1, 0, 3, **settings)


def some_ids(n=400):
    """Ids below 11 that follow a pattern half of the time."""
    generator, ids = torch.Generator().manual_seed(5), [3]
    for _ in range(n - 1):
        coin, other = torch.randint(0, 10, (2,), generator=generator).tolist()
        ids.append((ids[-1] + 1) % 11 if coin < 5 else other)
    return ids


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngrams_give_probabilities_and_both_ways_agree(order):
    """All that may follow adds up to one, also after what was never seen, and `surprises` says of
    each id what `logits` says.
    """
    model, ids = TokenNGrams(some_ids(), order, V), some_ids(50)
    for t in range(1, len(ids)):
        logits = model.logits(ids[:t])
        assert logits.exp().sum().item() == pytest.approx(1, abs=1e-5)
        wanted = -logits[0, ids[t]].item()
        assert model.surprises(ids)[t - 1] == pytest.approx(wanted, abs=1e-4)
    unseen = model.logits([12, 12, 12, 12])
    assert unseen.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert unseen.min() > -math.inf


def test_longer_ngrams_know_more():
    train, held_out = some_ids(2000)[:1500], some_ids(2000)[1500:]
    costs = [sum(TokenNGrams(train, n, V).surprises(held_out)) for n in (1, 2)]
    uniform = F.cross_entropy(torch.zeros(1, V), torch.tensor([0])).item()
    assert costs[1] < 0.9 * costs[0] < 0.9 * 499 * uniform


def test_ngrams_write_what_they_counted():
    model = TokenNGrams([0, *[3, 5, 7] * 200], 2, V)
    written = model.sample([3], 300, torch.Generator().manual_seed(6))
    assert len(written) == 300 and written[0] == 5
    pairs = Counter(itertools.pairwise(written))
    assert sum(pairs[p] for p in ((3, 5), (5, 7), (7, 3))) > 270
    again = model.sample([3], 300, torch.Generator().manual_seed(6))
    assert again == written
    cold = model.sample([3], 30, torch.Generator().manual_seed(7), top_k=1)
    assert cold == [5, 7, 3] * 10


def test_bad_ids_of_ngrams():
    with pytest.raises(ValueError, match="ids must lie below 13, got 3 to 13"):
        TokenNGrams([3, 13], 2, V)
    model = TokenNGrams(some_ids(), 2, V)
    for ask in (model.surprises, model.logits):
        with pytest.raises(ValueError, match="ids must lie below 13, got -1 to 5"):
            ask([5, -1])
    with pytest.raises(ValueError, match="order must be from 1 to 8, got 9"):
        TokenNGrams(some_ids(), 9, V)
    with pytest.raises(ValueError, match="vocab_size must be at least 1, got 0"):
        TokenNGrams([], 2, 0)
    with pytest.raises(ValueError, match="max_length must be at least 1, got -1"):
        model.sample([3], -1)


def test_shipped_weights_are_what_their_card_says():
    """Of the corpus at hand, by the recipe at hand, as good as it says on the first files."""
    model, vocabulary = load_python_gpt()
    card = read_card("python_gpt")
    assert card["data"]["sha256"] == SHA256
    # a field that came later has its default
    assert Preset(**card["recipe"]) == PYTHON_GPT["cpu"]
    assert model.config == python_config(PYTHON_GPT["cpu"], len(vocabulary))
    assert not model.training
    text = one_text(load_python_source()["validation"])[:20_000]
    assert vocabulary.decode(vocabulary.encode(text)) == text
    nats = surprises(model, torch.tensor(vocabulary.encode(text)))
    found = bits_per_byte(nats, len(text.encode()))
    assert 0.5 < found < 1.5 * card["validation bits per byte"]


def test_shipped_vocabulary_was_trained_on_the_training_files():
    """Its first merges, since all take long: those of pieces counted in every file."""
    train = load_python_source()["train"]
    _, vocabulary = load_python_gpt()
    few = BytePairs.train([train[name] for name in sorted(train)], 270)
    assert few.merges == vocabulary.merges[:14]


def test_missing_weights(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"must hold python_gpt\.safetensors"
    ):
        load_python_gpt(tmp_path)
