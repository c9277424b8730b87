"""The book's own pronouncer: its shipped weights, its answers, and what makes it refuse."""

import hashlib
import json
import math

import pytest
import torch
import torch.nn.functional as F

from tfbook import Transformer, TransformerConfig, beam_search, greedy_decode
from tfbook.data.batching import pad_batch
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import (
    MostFrequentSound,
    Pronouncer,
    load_pronouncer,
)
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    PHONES,
    SHA256,
    SOUNDS,
    SPELLING,
    STRESSED_SOUNDS,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.pronouncer import without_stress
from tfbook.weights.stored import WEIGHTS, save_weights


@pytest.fixture(scope="module")
def shipped():
    return load_pronouncer()


def some_words(count=60):
    """Every hundredth validation word or so, from a to z."""
    words = load_pronunciation()["validation"]
    return {
        word: words[word] for word in sorted(words)[:: len(words) // count][:count]
    }


def tiny_model(**changes):
    config = {
        "d_model": 6,
        "n_heads": 3,
        "n_layers": 1,
        "d_ff": 7,
        "max_length": 11,
    } | changes
    vocabularies = {"source_vocab": len(LETTERS), "target_vocab": len(SOUNDS)}
    return Transformer(TransformerConfig(**vocabularies | config)).eval()


def test_shipped_weights_are_those_of_their_card(shipped):
    card = json.loads((WEIGHTS / "pronouncer.json").read_text(encoding="utf-8"))
    content = (WEIGHTS / "pronouncer.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert card["data"]["sha256"] == SHA256
    assert TransformerConfig(**card["config"]) == shipped.model.config
    assert not shipped.model.training
    count = sum(weight.numel() for weight in shipped.model.parameters())
    assert 2 * count < len(content) < 2 * count + 20_000, (
        "16 bits a weight, each stored once"
    )


def test_shipped_weights_pronounce(shipped):
    """Half the baseline's wrong sounds at most, on words never trained on; and some by heart."""
    words = some_words()
    baseline = MostFrequentSound(load_pronunciation()["train"])
    said = [baseline.pronounce(word) for word in words]
    per, wer = shipped.score(words)
    baseline_per, baseline_wer = error_rates(said, list(words.values()))
    assert per < 0.5 * baseline_per and wer < 0.8 * baseline_wer
    untrained = Pronouncer(tiny_model(max_length=64)).score(words)
    assert per < 0.5 * untrained[0]
    assert shipped.pronounce("cat")[0][0] == ["K", "AE", "T"]


def test_score_is_the_error_rate_of_the_best_answers(shipped):
    words = some_words(7)
    for beam in (1, 4):
        said = [shipped.pronounce(word, beam)[0][0] for word in words]
        assert shipped.score(words, beam) == error_rates(said, list(words.values()))


def test_answers_come_in_the_order_of_the_words(shipped):
    """However the words are batched: 300 of them, lengths mixed, each as if it were alone."""
    words = [word[: 1 + i % 9] for i, word in enumerate(some_words(300))]
    answers = shipped.pronounce_all(words, beam=2, nbest=2)
    assert len(answers) == 300
    for i in (0, 1, 127, 128, 299):
        for (phones, score), (alone, alone_score) in zip(
            answers[i], shipped.pronounce(words[i], beam=2, nbest=2), strict=True
        ):
            assert phones == alone and score == pytest.approx(alone_score, abs=1e-4)
    assert shipped.pronounce_all([]) == []


def test_upper_case_is_lower_case(shipped):
    assert shipped.pronounce("CaT") == shipped.pronounce("cat")


def test_nbest_are_different_and_sorted(shipped):
    found = shipped.pronounce("record", beam=5, nbest=5, stress=shipped.stressed)
    assert len({tuple(phones) for phones, _ in found}) == 5
    said = {phone.rstrip("012") for phones, _ in found for phone in phones}
    assert said <= set(PHONES)
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    again = shipped.pronounce("record", beam=5, nbest=2, stress=shipped.stressed)
    assert again == found[:2]


@pytest.mark.parametrize("stress", [True, False])
def test_the_order_is_that_of_the_numbers(shipped, stress):
    """Which are printed. A score that divides by the length would put others first."""
    words = ["bujumbura", "barbeque", *some_words(40)]
    answers = shipped.pronounce_all(words, beam=4, nbest=4, stress=stress)
    for found in answers:
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)


def scores_of(model, source, ids, length_penalty=0.6):
    """By which beam search ranks what it or greedy decoding returned, stops included: (B,)."""
    n = (ids != 0).sum(dim=1)  # symbols before the stop
    stops = torch.arange(ids.size(1) + 1) == n[:, None]
    target = F.pad(ids, (0, 1)).masked_fill(stops, 2)  # (B, T + 1)
    with torch.no_grad():
        logits = model(source, F.pad(target, (1, 0), value=1)[:, :-1])
    picked = logits.log_softmax(-1).gather(-1, target[..., None])[
        ..., 0
    ]  # (B, T + 1)
    log_probabilities = picked.masked_fill(target == 0, 0.0).sum(dim=1)
    return log_probabilities / ((5 + n + 1) / 6) ** length_penalty


@pytest.mark.parametrize("beam", [2, 4, 8])
def test_a_beam_is_never_worse_than_greedy_decoding(shipped, beam):
    """By its own score. "barbeque" was: its row ended when `beam` worse answers had stopped."""
    words = ["barbeque", *some_words(200)]
    source = pad_batch([LETTERS.encode(word) for word in words])
    greedy = greedy_decode(shipped.model, source, 1, 2, 64)
    found = beam_search(shipped.model, source, 1, 2, 64, beam)
    gain = scores_of(shipped.model, source, found) - scores_of(
        shipped.model, source, greedy
    )
    assert gain.min() > -1e-5 and gain.max() > 0.01


def test_log_probability_is_the_models(shipped):
    """Of the phones and the stop after them, recomputed in one pass."""
    ((phones, score),) = shipped.pronounce("letter", stress=shipped.stressed)
    ids = shipped.sounds.encode(phones)
    target = torch.tensor([[1, *ids, 2]])  # (1, T + 1)
    with torch.no_grad():
        logits = shipped.model(
            torch.tensor([LETTERS.encode("letter")]), target[:, :-1]
        )
    picked = logits.log_softmax(-1).gather(-1, target[:, 1:, None])  # (1, T, 1)
    assert score == pytest.approx(float(picked.sum()), abs=1e-4)


@pytest.mark.parametrize(
    "word", ["", "naïve7", "naïve", "it's", "two words", "\u212a", "cat\n"]
)
def test_what_is_no_word(shipped, word):
    with pytest.raises(
        ValueError, match="word must be made of the letters a to z, got"
    ):
        shipped.pronounce_all(["cat", word])


def test_what_is_no_string(shipped):
    with pytest.raises(
        TypeError, match="word must be a str, got None of type NoneType"
    ):
        shipped.pronounce(None)


def test_length_of_words(shipped):
    assert shipped.pronounce("a" * 64)
    with pytest.raises(
        ValueError, match=r"word must have at most 64 letters, got 65: 'aaaa"
    ):
        shipped.pronounce("a" * 65)
    assert len(shipped.pronounce("z" * 64, beam=1)[0][0]) <= 64


@pytest.mark.parametrize("beam, nbest", [(4, 5), (4, 0), (0, 1), (-1, -1)])
def test_beam_and_nbest(shipped, beam, nbest):
    with pytest.raises(ValueError, match=f"got nbest={nbest} and beam={beam}"):
        shipped.pronounce("cat", beam, nbest)


def test_a_model_that_reads_apostrophes():
    """They are symbols of its words, and of no others'."""
    pronouncer = Pronouncer(tiny_model(source_vocab=len(SPELLING)))
    assert pronouncer.letters is SPELLING
    ((_, score),), ((_, other),) = pronouncer.pronounce_all(["It's", "its"])
    assert score != pytest.approx(other)
    assert pronouncer.pronounce("it's") == pronouncer.pronounce("IT'S")
    for word in ("", "'", "it’s", "o'brien-s", "it's "):
        with pytest.raises(ValueError, match="letters a to z and apostrophes, got"):
            pronouncer.pronounce(word)
    with pytest.raises(ValueError, match="at most 11 letters, got 12: \"can't"):
        pronouncer.pronounce("can'tcan'tca")


@pytest.mark.parametrize("changes", [{"source_vocab": 31}, {"target_vocab": 41}])
def test_model_with_other_vocabularies(changes, tmp_path):
    model = tiny_model(**changes)
    with pytest.raises(
        ValueError, match=r"model must know 29 letters and 42 sounds.* got \d\d and"
    ):
        Pronouncer(model)
    save_weights(model, tmp_path, "pronouncer", {})
    with pytest.raises(
        ValueError, match="model must know 29 letters and 42 sounds"
    ):
        load_pronouncer(tmp_path)


@pytest.fixture(scope="module")
def with_stress():
    torch.manual_seed(4)
    model = tiny_model(target_vocab=len(STRESSED_SOUNDS), max_length=5)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    return Pronouncer(model)


def test_stress_is_said_or_dropped(with_stress):
    stressed = with_stress.pronounce("cat", beam=8, nbest=8, stress=True)
    plain = with_stress.pronounce("cat", beam=8, nbest=8)
    assert with_stress.stressed
    assert any(phone[-1] in "012" for phones, _ in stressed for phone in phones)
    assert not any(phone[-1] in "012" for phones, _ in plain for phone in phones)
    scores = [score for _, score in plain]
    assert scores == sorted(scores, reverse=True) and len(plain) <= len(stressed)


def test_answers_that_differ_in_stress_alone_are_one():
    """Their probabilities add up, so two middling answers can beat the best one."""
    said = [
        (["K", "AE1"], math.log(0.3)),
        (["K", "AH0"], math.log(0.25)),
        (["K", "AH1"], math.log(0.15)),
    ]
    (first, p), (second, q) = without_stress(said)
    assert (first, second) == (["K", "AH"], ["K", "AE"])
    assert (math.exp(p), math.exp(q)) == pytest.approx((0.4, 0.3))


def test_score_with_stress_counts_the_digits(with_stress):
    """Answers said with stress are all wrong by the plain variants where a vowel is said."""
    said = with_stress.pronounce("cat", stress=True)[0][0]
    bare = with_stress.pronounce("cat")[0][0]
    assert with_stress.score({"cat": [tuple(said)]}, stress=True) == (0, 0)
    assert with_stress.score({"cat": [tuple(bare)]}) == (0, 0)


def test_stress_that_was_never_learned_is_refused():
    with pytest.raises(ValueError, match=r"stress must be False .*got True"):
        Pronouncer(tiny_model()).pronounce("cat", stress=True)
