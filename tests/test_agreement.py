"""The sentences of Part 2: what is asked depends on the first thing and on the person alone."""

import pytest

from tfbook.tasks.agreement import (
    BLANK,
    KITCHEN_TABLE,
    PEOPLE,
    SINGULAR,
    THINGS,
    WORDS,
    ids_of,
    sentences,
)


def read(ids):
    return [WORDS[i] for i in ids.tolist()]


@pytest.fixture(scope="module")
def drawn():
    ids, answers = sentences(500, seed=3)
    return [
        (read(row), read(answer)) for row, answer in zip(ids, answers, strict=True)
    ]


def test_the_answers_are_those_of_the_first_thing_and_the_person(drawn):
    for words, (verb, pronoun) in drawn:
        first, _ = (word for word in words if word in THINGS)
        (person,) = (word for word in words if word in PEOPLE)
        assert (verb == "is") == (first in SINGULAR)
        assert (pronoun == "he") == (person in "brother father son uncle".split())
        assert words[-1] == BLANK and words.count(BLANK) == 1 and len(words) == 11


def test_the_other_thing_and_the_order_tell_nothing(drawn):
    for verb in ("is", "are"):
        rows = [words for words, answer in drawn if answer[0] == verb]
        others = [
            [w for w in words if w in THINGS][1] in SINGULAR for words in rows
        ]
        orders = [words.index("that") < 4 for words in rows]
        assert all(0.35 < sum(x) / len(x) < 0.65 for x in (others, orders))


def test_a_seed_is_a_draw_and_words_are_all_different():
    one, again, another = (sentences(20, seed)[0] for seed in (1, 1, 2))
    assert one.equal(again) and not one.equal(another)
    assert len(set(WORDS)) == len(WORDS)


def test_the_books_sentence_is_one_of_them():
    assert read(ids_of(KITCHEN_TABLE)) == KITCHEN_TABLE and len(KITCHEN_TABLE) == 11


@pytest.mark.parametrize("n", [0, 2.5, True, None])
def test_bad_counts_are_refused(n):
    with pytest.raises((TypeError, ValueError), match=r"^n "):
        sentences(n, seed=0)


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match=r"^words must be in WORDS, got 'cat'"):
        ids_of(["the", "cat"])
