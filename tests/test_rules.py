"""Hand-written rules: their notation, their order, and that none is idle."""

import random
import re

import pytest

from tfbook.data.installed import part
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation.dictionary import PHONES, load_pronunciation
from tfbook.tasks.pronunciation.rules import CLASSES, TABLE, Rule, Rules

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SPELLED = ", ".join(f"[{letter}] = P" for letter in ALPHABET)


def small(*rules):
    """A table whose letters all say P, but for what comes first."""
    return Rules(", ".join([*rules, SPELLED]))


def test_notation_is_read():
    """Written again from what was read, the table is the table."""
    written = [
        f"{rule.left}[{rule.letters}]{rule.right} = {' '.join(rule.phones) or '-'}"
        for rule in Rules().rules
    ]
    assert written == [text.strip() for text in re.split("[,\n]", TABLE.strip())]
    assert small("V:[gh]t_ = -").rules[0] == Rule("V:", "gh", "t_", ())
    assert small("_[qu] = K W\n[x]C = K S").rules[1] == Rule(
        "", "x", "C", ("K", "S")
    )


def test_no_rule_stands_twice():
    rules = Rules().rules
    assert len({rule[:3] for rule in rules}) == len(rules)
    assert 120 <= len(rules) <= 180


def test_first_match_wins():
    assert small("[a] = AE", "[a]b = AA").pronounce("ab") == ["AE", "P"]
    assert small("[a]b = AA", "[a] = AE").pronounce("abac") == [
        "AA",
        "P",
        "AE",
        "P",
    ]
    assert small("[ab] = B", "[a] = AE").pronounce("abba") == ["B", "P", "AE"]


def test_letters_are_used_up():
    """A rule's letters are said once; its context is said by other rules, and may be
    letters that were said before.
    """
    rules = small("[ph] = F", "[h] = HH", "h[i] = IY", "[si]o = ZH", "[o] = OW")
    assert rules.pronounce("phis") == ["F", "IY", "P"]
    assert rules.pronounce("hpsio") == ["HH", "P", "ZH", "OW"]
    assert [rule.letters for rule in rules.applied("phsio")] == ["ph", "si", "o"]


def test_silence_says_nothing():
    assert small("[e]_ = -").pronounce("ee") == ["P"]
    assert small().pronounce("") == []


@pytest.mark.parametrize(
    "rule, fits, misses",
    [
        ("_[b] = B", "b ba bx", "ab xb"),
        ("[b]_ = B", "b ab xb", "ba bx"),
        ("_[b]_ = B", "b", "ba ab aba"),
        ("V[b] = B", "ab eb ib ob ub yb", "b cb xxb"),
        ("[b]C = B", "bc bx abw", "b ba aby"),
        ("a:[b] = B", "ab acb axxb", "b cb aeb acuxb"),
        ("[b]:a = B", "ba bca bxxa", "b bc bea bcuxa"),
        ("[b]F = B", "be bi by", "ba bo bu b bc"),
        ("ch[b] = B", "chb achb", "cb hb chab"),
        ("S[b] = B", "cb gb sb xb zb chb shb", "ab b tb hb thb"),
        ("U[b] = B", "cb fb kb pb xb chb shb ssb", "ab b gb thb asb zb"),
        ("[b]E = B", "be bes bed ber bers bing bings bely", "bet b bs bingx bex"),
        ("[b]W = B", "b bs bd bed ber bing bly bness bman", "be bt ba bedx"),
        ("[b]A = B", "ba bo bi bas bos", "be bu b baa bis"),
        ("[b]M = B", "bly bment bness bless bful bman blyx", "b bl ba be"),
        ("[b]L = B", "bl bn br", "b ba bt"),
        ("T[b] = B", "db tb", "b ab bb"),
        ("Y[b] = B", "bb cb fb hb mb pb vb", "b ab db lb"),
    ],
)
def test_contexts(rule, fits, misses):
    """On the left of the letters or on their right, and nowhere else."""
    rules = small(rule)
    for word in fits.split():
        assert "B" in rules.pronounce(word), word
    for word in misses.split():
        assert "B" not in rules.pronounce(word), word


def test_every_class_is_used():
    contexts = "".join(rule.left + rule.right for rule in Rules().rules)
    assert CLASSES.keys() <= set(contexts)


def test_every_rule_speaks_in_some_training_word():
    rules = Rules()
    idle = set(rules.rules)
    for word in load_pronunciation()["train"]:
        idle.difference_update(rules.applied(word))
        if not idle:
            break
    assert not idle


def test_any_letters_get_an_answer():
    """A thousand strings of letters, each cut into the letters of the rules."""
    rules, rng = Rules(), random.Random(0)
    for _ in range(1000):
        word = "".join(rng.choices(ALPHABET, k=rng.randint(0, 23)))
        applied = rules.applied(word)
        said = rules.pronounce(word)
        assert "".join(rule.letters for rule in applied) == word
        assert said == [phone for rule in applied for phone in rule.phones]
        assert set(said) <= set(PHONES)


def test_some_words_are_said_as_the_dictionary_says():
    """Those that show what rules can do: two letters for one sound, magic e, silence."""
    shown = "ship night phone knock write nation quick judge stopped wishes"
    for word in shown.split():
        variants = load_pronunciation()[part(word)][word]
        assert tuple(Rules().pronounce(word)) in variants, word


def test_better_than_one_sound_a_letter():
    """A twelfth to a fifth of the sounds of validation words are wrong, not half of them."""
    words = load_pronunciation()["validation"]
    rules = Rules()
    per, wer = error_rates(
        [rules.pronounce(w) for w in words], list(words.values())
    )
    assert 1 / 12 < per < 1 / 5 and 0.4 < wer < 0.7


def test_errors():
    with pytest.raises(
        ValueError, match=r"table must have a rule \[z\] that always"
    ):
        Rules(SPELLED.removesuffix(", [z] = P") + ", _[z] = Z")
    for bad in (
        "[a]",
        "a = AE",
        "[a] = ",
        "[] = AE",
        "[a]Q = AE",
        "[A] = AE",
        "[a] = XX",
    ):
        with pytest.raises(ValueError, match=r"table must consist of .*got"):
            small(bad)
    for word in ("naïve7", "A", "it's", "_"):
        with pytest.raises(
            ValueError,
            match=f"word must be made of the letters a to z, got .{word}",
        ):
            Rules().pronounce(word)
