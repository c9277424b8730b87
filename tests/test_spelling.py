"""What people type: how it is cut for the dictionary and the network, and put together."""

import itertools
import random

import pytest

from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    SPELLING,
    load_apostrophes,
    load_entries,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.numerals import cardinal, ordinal, spoken
from tfbook.tasks.pronunciation.spelling import (
    POSSESSIVE,
    Speller,
    fold,
    join,
    possessive,
)

ENTRIES = load_entries()


@pytest.mark.parametrize(
    "typed, plain",
    [
        ("café", "cafe"),
        ("cafe\u0301", "cafe"),
        ("ZOË", "ZOE"),
        ("naïve", "naive"),
        ("Straße", "Strasse"),
        ("Ærø", "AEro"),
        ("Łódź", "Lodz"),
        ("Đorđe", "Dorde"),
        ("Þór", "Thor"),
        ("İstanbul", "Istanbul"),
        ("ﬁsh", "fish"),
        ("\u212a", "K"),
        ("ｃａｔ", "cat"),
        ("O’Brien", "O'Brien"),
        ("‘tis", "'tis"),
        ("rock‑and–roll", "rock-and-roll"),
        ("\u00a0x² ", "x2"),
    ],
)
def test_fold(typed, plain):
    assert fold(typed) == plain


@pytest.mark.parametrize(
    "typed, message",
    [
        ("", "word must hold a Latin letter or a digit, got ''"),
        ("!!!", "word must hold .* got '!!!'"),
        ("'-.", "word must hold "),
        ("😀", "word must hold .* got '😀'"),
        ("你好", "word must hold "),
        ("кот", "word must hold "),
        ("٣", "word must hold "),
        ("two words", "word must be one word, got 'two words': give each"),
        ("a\tb", r"word must be one word, got 'a\\tb'"),
        ("cat,", "word must be made of .* got ',' in 'cat,': leave that out"),
        ("cat\u200b", r"word must be made of .* got '\\u200b' in "),
        ("cat你", "got '你' in 'cat你'"),
        ("cat™", "got '™' in 'cat™'"),
        ("½x", "got '⁄' in '½x'"),
        ("ca\x00t", r"got '\\x00' in 'ca\\x00t'"),
        ("a." + "x" * 99, "word must hold no full stop, got 'a.x{38}'"),
    ],
)
def test_what_is_no_word(typed, message):
    with pytest.raises(ValueError, match=message):
        Speller(ENTRIES, LETTERS).pieces(typed)


def meant(text):
    """Pieces from a text: the first variant of an entry, or in capitals what the network is
    asked.
    """
    return [
        word.lower()
        if word.isupper()
        else word
        if word == POSSESSIVE
        else ENTRIES[word][0]
        for word in text.split()
    ]


@pytest.mark.parametrize(
    "typed, wanted",
    [
        ("Said", "said"),
        ("don’t", "don't"),
        ("O'Brien", "o'brien"),
        ("mother-in-law", "mother-in-law"),
        ("e-mail", "e-mail"),
        ("co-operate", "co operate"),
        ("non–blorbo", "non BLORBO"),
        ("-cat--dog-", "cat dog"),
        ("naïve", "naive"),
        ("nasa", "nasa"),
        ("NASA", "nasa"),
        ("FBI", "fbi"),
        ("BBC", "bbc"),
        ("HDMI", "h. d. m. i."),
        ("GPU", "g. p. u."),
        ("GPUs", "g. p. u. 's"),
        ("GPU's", "g. p. u. 's"),
        ("GPU'S", "g. p. u. 's"),
        ("gpu", "GPU"),
        ("UEFA", "UEFA"),
        ("COVID", "COVID"),
        ("XXXXXXXX", "XXXXXXXX"),
        ("F.B.I.", "f. b. i."),
        ("u.s.a", "u. s. a."),
        ("Ph.D.", "ph.d."),
        ("A-level", "a. level"),
        ("a-blorbo", "a BLORBO"),
        ("vitamin-C", "vitamin c."),
        ("3D", "three d."),
        ("A380", "a. three hundred eighty"),
        ("mp3", "m. p. three"),
        ("covid19", "COVID nineteen"),
        ("COVID-19", "COVID nineteen"),
        ("R2D2", "r. two d. two"),
        ("5star", "five star"),
        ("2024", "twenty twenty four"),
        ("42nd", "forty second"),
        ("11TH", "eleventh"),
        ("HDMI2s", "h. d. m. i. two 's"),
        ("3D's", "three d's"),
        ("7Up", "seven up"),
        ("blorbo2", "BLORBO two"),
        ("1990s", "nineteen ninety 's"),
        ("'90s", "ninety 's"),
        ("80's", "eighty 's"),
        ("america's", "america's"),
        ("transformer's", "transformer 's"),
        ("blorbo's", "BLORBO 's"),
        ("blorbos'", "BLORBOS"),
        ("Hawai'i", "hawaii"),
        ("'hello'", "hello"),
        ("blor'bo'd", "BLORBOD"),
    ],
)
def test_pieces(typed, wanted):
    assert Speller(ENTRIES, LETTERS).pieces(typed) == meant(wanted)


@pytest.mark.parametrize(
    "typed, wanted",
    [
        ("blorbo's", "BLORBO'S"),
        ("Blor’bo’d", "BLOR'BO'D"),
        ("transformer's", "transformer 's"),
        ("Hawai'i", "hawaii"),
    ],
)
def test_a_network_that_reads_apostrophes_gets_them(typed, wanted):
    assert Speller(ENTRIES, SPELLING).pieces(typed) == meant(wanted)


@pytest.mark.parametrize(
    "typed, wanted",
    [
        ("FBI", ["fbi"]),
        ("said", ["said"]),
        ("A-level", ["a", "level"]),
        ("3D", ["three", "d"]),
        ("mp3", ["mp", "three"]),
        ("boss's", ["boss", POSSESSIVE]),
        ("U.S.", ["u", "s"]),
    ],
)
def test_the_network_alone_is_asked_all(typed, wanted):
    assert Speller({}, LETTERS).pieces(typed) == wanted
    assert Speller({}, SPELLING).pieces("boss's") == ["boss's"]


def test_the_rule_of_s_is_the_dictionarys():
    """On its own words with 's: what it adds to a variant of the word without, but for some
    words whose stem it says in another way.
    """
    right = [
        any((*stem, *possessive(stem)) in variants for stem in ENTRIES[word[:-2]])
        for words in load_apostrophes().values()
        for word, variants in words.items()
        if word.endswith("'s") and word[:-2] in ENTRIES
    ]
    assert len(right) > 6000 and sum(right) / len(right) > 0.95
    assert possessive([]) == ["Z"] and possessive(["SH"]) == ["IH", "Z"]


def test_what_looks_spelled_is_spelled():
    """On the dictionary's words, without them: most of those that it spells out, few others."""
    names = {letter: ENTRIES[f"{letter}."][0] for letter in LETTERS.symbols}
    plain = [w for words in load_pronunciation().values() for w in words]
    spelled = [
        word
        for word in plain
        if len(word) > 3
        and ENTRIES[word][0] == sum((names[letter] for letter in word), ())
    ]
    read = random.Random(0).sample([w for w in plain if len(w) > 3], 150)
    others = Speller(ENTRIES.keys() - {*spelled, *read}, LETTERS)
    assert 20 < len(spelled) < 60
    hits = [others.looks_spelled(word) for word in spelled]
    wrong = [others.looks_spelled(word) for word in read]
    assert sum(hits) / len(hits) > 0.85 and sum(wrong) / len(wrong) < 0.08


def test_join_is_the_best_of_all_ways():
    draw = random.Random(1)
    said = {
        text: [([text, str(i)], -draw.random() * 3) for i in range(4)]
        for text in "pqr"
    }
    said = {text: sorted(some, key=lambda s: -s[1]) for text, some in said.items()}
    found = ["p", ("T",), "q", POSSESSIVE, "r"]
    every = [
        ([*p, "T", *q, *possessive(q), *r], a + b + c)
        for (p, a), (q, b), (r, c) in itertools.product(*map(said.get, "pqr"))
    ]
    every.sort(key=lambda answer: -answer[1])
    answers = join(found, said, nbest=4)
    assert [phones for phones, _ in answers] == [phones for phones, _ in every[:4]]
    assert [s for _, s in answers] == pytest.approx([s for _, s in every[:4]])
    assert join([("K", "AE1", "T"), POSSESSIVE], {}, stress=True) == [
        (["K", "AE1", "T", "S"], 0.0)
    ]


@pytest.mark.parametrize(
    "digits, words",
    [
        ("0", "zero"),
        ("7", "seven"),
        ("20", "twenty"),
        ("342", "three hundred forty two"),
        ("1009", "one thousand nine"),
        ("1066", "ten sixty six"),
        ("1500", "fifteen hundred"),
        ("1905", "nineteen oh five"),
        ("1984", "nineteen eighty four"),
        ("2000", "two thousand"),
        ("2009", "two thousand nine"),
        ("2010", "twenty ten"),
        ("2100", "two thousand one hundred"),
        ("007", "zero zero seven"),
        ("1" * 16, "one " * 15 + "one"),
    ],
)
def test_spoken(digits, words):
    assert spoken(digits) == words.split()


@pytest.mark.parametrize(
    "digits, words",
    [
        ("1", "first"),
        ("12", "twelfth"),
        ("30", "thirtieth"),
        ("42", "forty second"),
        ("100", "one hundredth"),
        ("2024", "two thousand twenty fourth"),
        ("007", "zero zero seventh"),
    ],
)
def test_ordinal(digits, words):
    assert ordinal(digits) == words.split()


def value(words):
    """The number that words say, read by other means than `cardinal`."""
    small = "zero one two three four five six seven eight nine ten eleven twelve"
    small += " thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    powers = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
    whole, group = 0, 0
    for word in words:
        if word in powers:
            whole, group = whole + group * 10 ** powers[word], 0
        elif word == "hundred":
            group *= 100
        elif word in tens:
            group += 20 + 10 * tens.index(word)
        else:
            group += small.split().index(word)
    return whole + group


def test_cardinals_read_back():
    draw = random.Random(2)
    numbers = [*range(2000), *(draw.randrange(10**15) for _ in range(500))]
    assert [value(cardinal(n)) for n in numbers] == numbers


def test_the_words_of_numbers_are_in_the_dictionary():
    """But for two, which the network says."""
    words = {
        word for n in [*range(1100), 10**6, 10**9, 10**12] for word in cardinal(n)
    }
    words |= {
        ordinal(str(n))[-1] for n in [*range(101), 1000, 10**6, 10**9, 10**12]
    }
    assert words - ENTRIES.keys() == {"zeroth", "trillionth"}
