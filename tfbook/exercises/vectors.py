"""Checks for lesson 3.1, from symbols to vectors."""

import functools
import random

from tfbook.data.byte_pairs import BytePairs
from tfbook.data.installed import package_folder
from tfbook.exercises.report import RESULT, checked, function, number, strings
from tfbook.tasks.pronunciation.dictionary import load_pronunciation

FOUR_WORDS = {"cat": 4, "cats": 3, "rat": 5, "hats": 2}


@checked
def check_three_merges(answer):
    """The pieces of the first three merges of `FOUR_WORDS`, as a list of strings."""
    texts = [word for word, count in FOUR_WORDS.items() for _ in range(count)]
    pieces = BytePairs.train(texts, 256 + 3).pieces[256:]
    wanted = [piece.decode() for piece in pieces]
    answer = strings(answer)
    if len(answer) != 3:
        return "give the three pieces, the first merge's first"
    if answer == wanted:
        return None
    if answer[:2] == wanted[:2]:
        return (
            "count anew after each merge: where c and at were joined, no at is left"
        )
    return (
        "count each pair in all words, times the word's count, and join the largest"
    )


@checked
def check_encode(answer):
    """A function from (word, merges) to the pieces of the word, all of them strings."""
    encode = function(answer, "word", "merges")
    generator = random.Random(0)
    for _ in range(60):
        texts = [
            "".join(generator.choices("abc", k=generator.randint(1, 9)))
            for _ in range(12)
        ]
        vocabulary = BytePairs.train(texts, 256 + generator.randint(0, 9))
        pieces = [piece.decode("latin-1") for piece in vocabulary.pieces]
        merges = [
            (pieces[left], pieces[right]) for left, right in vocabulary.merges
        ]
        word = "".join(generator.choices("abc", k=generator.randint(1, 13)))
        wanted = [pieces[i] for i in vocabulary.encode(word)]
        result = strings(encode(word, list(merges)), RESULT)
        if "".join(result) != word:
            return f"the pieces of {word!r} must make it up again, got {result}"
        if result != wanted:
            return (
                f"{word!r} with the merges {merges} is {wanted}, got {result}: the "
                "earliest merge goes first, and joins every occurrence from the left"
            )


@checked
def check_other_text(answer):
    """The bytes an id stands for in words of CMUdict, with code's 4,096 ids."""
    answer = number(answer)
    if answer < 1:
        return "an id stands for a byte at least: bytes divided by ids, not ids by bytes"
    if abs(answer - _bytes_an_id(4096)) > 0.05:
        return (
            "join the validation words by spaces, encode them with all the merges"
        )


@functools.cache
def _bytes_an_id(size):
    """Of the validation words, in so many ids that were learned from SymPy's core."""
    files = sorted((package_folder("sympy") / "core").glob("*.py"))
    learned = [f.read_text("utf-8") for i, f in enumerate(files) if i % 5]
    text = " ".join(load_pronunciation()["validation"])
    return len(text) / len(BytePairs.train(learned, size).encode(text))
