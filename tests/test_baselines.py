"""What the Transformer must beat, recomputed another way."""

import statistics

import pytest

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import PHONES, load_pronunciation

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
EACH_ONCE = {
    letter: [(phone,)] for letter, phone in zip(ALPHABET, PHONES, strict=False)
}


def test_each_letter_makes_its_most_frequent_sound():
    train = load_pronunciation()["train"]
    aligned = [
        (w, v) for w, found in train.items() for v in found if len(w) == len(v)
    ]
    baseline = MostFrequentSound(train)
    for letter in ALPHABET:
        sounds = [v[k] for w, v in aligned for k in range(len(w)) if w[k] == letter]
        assert baseline.pronounce(letter) == [statistics.mode(sounds)]


def test_a_word_is_said_letter_by_letter():
    said = MostFrequentSound(EACH_ONCE | {"ab": [("K", "T")], "bb": [("T", "T")]})
    assert said.pronounce("bad") == [
        "T",
        *said.pronounce("a"),
        *said.pronounce("d"),
    ]
    assert said.pronounce("") == []


def test_words_of_another_length_do_not_count():
    """`ax` with three sounds says nothing about x, and every variant is looked at."""
    longer = {"ax": [("AE", "K", "S")] * 9, "xx": [("K", "S", "K"), ("ZH", "ZH")]}
    assert MostFrequentSound(EACH_ONCE | longer).pronounce("x") == ["ZH"]


def test_it_learns_something_and_is_bad():
    """Between a fifth and two thirds of the sounds wrong: a baseline that one can beat."""
    words = load_pronunciation()
    baseline = MostFrequentSound(words["train"])
    validation = words["validation"]
    per, wer = error_rates(
        [baseline.pronounce(w) for w in validation], list(validation.values())
    )
    assert 0.2 < per < 0.67 and 0.9 < wer < 1.0


def test_errors():
    without_z = {word: found for word, found in EACH_ONCE.items() if word != "z"}
    with pytest.raises(ValueError, match=r"words must have .*got none for \['z'\]"):
        MostFrequentSound(without_z)
    with pytest.raises(
        ValueError, match="word must be made of the letters a to z, got 'naïve7'"
    ):
        MostFrequentSound(EACH_ONCE | {"naïve7": [("N",)]})
    for word in ("naïve7", "A", "it's"):
        with pytest.raises(ValueError, match=f"word must be .*got .{word}"):
            MostFrequentSound(EACH_ONCE).pronounce(word)
