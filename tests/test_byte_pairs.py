"""Byte pairs against the library `tokenizers`: the same merges and ids, also where pairs tie."""

import json
import random
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from tfbook.data.byte_pairs import SPLIT, BytePairs, chunks, join

FOLDER = Path(find_spec("sympy").origin).parent / "core"
CODE = [file.read_text("utf-8") for file in sorted(FOLDER.glob("*.py"))]
ODD = [
    "",
    " ",
    "naïve café, 日本語 и 🙂",
    "\r\n\t x  y\x00\x7f\x1f\xa0\u2003z",
    "don't_stop [a^b]-`{c}~ 0x1F 3.14",
    "\ufffd\ufeff" + chr(0x10FFFF),
]


def oracle(texts, vocab_size):
    """What `tokenizers` makes of the texts: (encode, merges as pairs of ids). Each byte is shown
    to it as the character of that number, so its alphabet is in the order of the bytes.
    """
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    alphabet = [chr(i) for i in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    reference.train_from_iterator(map(as_characters, texts), trainer)
    model = json.loads(reference.to_str())["model"]
    ids = model["vocab"]
    merges = [(ids[left], ids[right]) for left, right in model["merges"]]
    return lambda text: reference.encode(as_characters(text)).ids, merges


def as_characters(text):
    return text.encode().decode("latin-1")


def test_code_is_cut_as_tokenizers_cuts_it():
    learned, unseen = CODE[1::2], [*CODE[::2], *ODD]
    ours = BytePairs.train(learned, 1500)
    encode, merges = oracle(learned, 1500)
    assert len(ours) == 1500 and ours.merges == merges
    for text in unseen:
        ids = ours.encode(text)
        assert ids == encode(text) and ours.decode(ids) == text


@pytest.mark.parametrize("alphabet", ["a", "ab", "abc", "ab ", "\n ", "é日"])
def test_ties_are_broken_as_tokenizers_breaks_them(alphabet):
    """Short texts of few letters: most pairs are as frequent as another, and overlap."""
    rng = random.Random(alphabet)
    for _ in range(40):
        texts = [
            "".join(rng.choices(alphabet, k=rng.randint(0, 40)))
            for _ in range(rng.randint(1, 7))
        ]
        size = 256 + rng.randint(0, 30)
        ours = BytePairs.train(texts, size)
        encode, merges = oracle(texts, size)
        assert ours.merges == merges
        for text in [*texts, "".join(rng.choices(alphabet, k=60))]:
            assert ours.encode(text) == encode(text)


def test_the_merge_is_the_most_frequent_pair_counted_anew():
    """By the definition, without heaps and books kept: count all pairs after every merge."""
    rng = random.Random(5)
    texts = ["".join(rng.choices("abcde", k=rng.randint(1, 9))) for _ in range(97)]
    words, expected = [list(text.encode()) for text in texts], []
    ours = BytePairs.train(texts, 300)
    for _ in ours.merges:
        pairs = [pair for word in words for pair in pairwise(word)]
        best = min(set(pairs), key=lambda pair: (-pairs.count(pair), pair))
        expected.append(best)
        new = ours.pieces.index(ours.pieces[best[0]] + ours.pieces[best[1]])
        words = [join(word, best, new) for word in words]
    assert ours.merges == expected


def test_joins_from_the_left():
    assert join([7, 7, 7, 5, 7, 7], (7, 7), 9) == [9, 7, 5, 9]
    assert join([], (7, 7), 9) == []


@pytest.mark.parametrize("text", [*ODD, *CODE[:3]])
def test_every_text_comes_back(text):
    assert b"".join(chunks(text)) == text.encode()
    for vocabulary in (BytePairs([]), BytePairs.train([text, "low lower"], 270)):
        ids = vocabulary.encode(text)
        assert vocabulary.decode(ids) == text
        assert vocabulary.decode(torch.tensor(ids, dtype=torch.int64)) == text


def test_the_first_merges_are_a_smaller_vocabulary():
    large = BytePairs.train(CODE[:5], 500)
    small = BytePairs.train(CODE[:5], 400)
    first = BytePairs(large.merges[: len(small.merges)])
    assert first.merges == small.merges and first.pieces == small.pieces
    again = BytePairs(json.loads(json.dumps(large.merges)))
    assert again.encode(CODE[6]) == large.encode(CODE[6])


def test_a_vocabulary_ends_when_no_pair_is_left():
    assert BytePairs.train(["abc"], 1000).pieces[256:] == [b"ab", b"abc"]
    assert len(BytePairs.train([], 1000)) == 256


def test_broken_utf8_is_marked():
    assert BytePairs([]).decode([72, 255, 105]) == "H\ufffdi"


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: BytePairs.train("one text", 300), TypeError, "texts .*'one text'"),
        (lambda: BytePairs.train([3], 300), TypeError, "text must be a str, got 3"),
        (lambda: BytePairs.train([], 255), ValueError, "vocab_size .*256.*got 255"),
        (lambda: BytePairs.train([], 300.0), TypeError, r"vocab_size .*got 300\.0"),
        (lambda: BytePairs([(1, 2), (257, 3)]), ValueError, r"merges .*\(257, 3\)"),
        (lambda: BytePairs([(1, -2)]), ValueError, r"merges .*\(1, -2\)"),
        (lambda: BytePairs([(1, 2, 3)]), ValueError, r"merges .*\(1, 2, 3\)"),
        (lambda: BytePairs([]).encode(b"x"), TypeError, "text .*got b'x'"),
        (lambda: BytePairs([]).encode("x\ud800"), ValueError, r"text .*'\\ud800'"),
        (lambda: BytePairs([]).decode([5, 256]), ValueError, "ids .*256, got 256"),
        (lambda: BytePairs([]).decode([-1]), ValueError, "ids .*got -1"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
