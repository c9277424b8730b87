"""A network that sees each letter among its neighbours."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from tfbook.tasks.pronunciation.window import (
    SYMBOLS,
    LetterWindow,
    letter_by_letter,
)

# c is soft before e, hard before a and o, whatever comes first
WORDS = {
    "".join(letters): [
        tuple(
            {"a": "AA", "e": "EH", "o": "OW", "t": "T", "s": "S"}.get(
                letter, "S" if after == "e" else "K"
            )
            for letter, after in itertools.pairwise([*letters, ""])
        )
    ]
    for letters in itertools.product("ts", "aeo", "c", "aeo", "ts")
}
CUTS = [
    [(letter, (phone,)) for letter, phone in zip(word, found[0], strict=True)]
    for word, found in WORDS.items()
]


def learned(words=WORDS, **options):
    return LetterWindow(
        words, **{"alignments": CUTS, "hidden": 64, "epochs": 300, **options}
    )


def test_the_neighbours_decide():
    """Every fifth word is held out; without neighbours no network can know them."""
    cuts = [cut for i, cut in enumerate(CUTS) if i % 5]
    network = learned(reach=1, alignments=cuts)
    for word, (phones,) in WORDS.items():
        assert network.pronounce(word) == list(phones)
    assert network.losses[-1] < 0.1 < 1 < network.losses[0]


def test_a_narrow_window_cannot_tell():
    """`c` reads the letter before it too, so one letter on either side is the least."""
    words = {"acb": [("AE", "S", "B")], "acd": [("AE", "K", "D")]}
    words |= {"xacbz": [("Z", "AE", "T", "B", "Z")]}
    cuts = [
        [(letter, (phone,)) for letter, phone in zip(word, found[0], strict=True)]
        for word, found in words.items()
    ]
    right = {
        reach: sum(
            learned(words, reach=reach, alignments=cuts).pronounce(word)
            == list(found[0])
            for word, found in words.items()
        )
        for reach in (1, 2)
    }
    assert right == {1: 2, 2: 3}


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_windows_are_slices_of_the_word(reach):
    network = learned(reach=reach, epochs=1)
    for word in ("c", "ace", "octaves"):
        padded = "_" * reach + word + "_" * reach
        expected = [
            [
                place * 27 + SYMBOLS[padded[at + place]]
                for place in range(2 * reach + 1)
            ]
            for at in range(len(word))
        ]
        assert network.windows(word).tolist() == expected


def test_the_table_is_a_matrix_product_of_one_hot_vectors():
    network = learned(reach=2, epochs=1)
    table, _, output = network.model
    windows = network.windows("caste")  # (5, 5)
    one_hot = F.one_hot(windows % 27, 27).flatten(1).float()  # (5, 5 · 27)
    hidden = (one_hot @ table.weight).clamp(min=0)
    expected = hidden @ output.weight.T + output.bias
    assert torch.allclose(network.model(windows), expected, atol=1e-6)


def test_each_letter_gets_its_share_of_the_phones():
    cut = [("sh", ("SH",)), ("o", ("OW",)), ("x", ("K", "S")), ("e", ())]
    assert letter_by_letter(cut) == [("SH",), (), ("OW",), ("K", "S"), ()]


def test_a_letter_may_say_two_phones_or_none():
    cuts = [[("b", ("B",)), ("o", ("AA",)), ("x", ("K", "S")), ("e", ())]] * 40
    network = learned({"boxe": [("B", "AA", "K", "S")]}, alignments=cuts)
    assert network.pronounce("boxe") == ["B", "AA", "K", "S"]
    assert network.pronounce("") == []


def test_it_aligns_by_itself_and_the_seed_decides():
    words = {word: WORDS[word] for word in list(WORDS)[:12]}
    by_itself = LetterWindow(words, hidden=8, epochs=2)
    again = LetterWindow(words, hidden=8, epochs=2)
    other = LetterWindow(words, hidden=8, epochs=2, seed=1)
    assert by_itself.losses == again.losses != other.losses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reach": 0}, "reach must be .*got 0"),
        ({"hidden": 0}, "hidden must be .*got 0"),
        ({"epochs": 0}, "epochs must be .*got 0"),
        ({"words": {"naïf": [("N",)]}}, "word must be made of the letters a to z"),
        ({"alignments": []}, "words must have an alignment, got none"),
        ({"alignments": [None]}, "words must have an alignment, got none"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        learned(**change)


def test_unknown_letters():
    with pytest.raises(ValueError, match="word must be made of the letters a to z"):
        learned(epochs=1).pronounce("caf\u00e9")
