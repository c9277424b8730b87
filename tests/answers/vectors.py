"""Lesson: from symbols to vectors."""

from itertools import pairwise

from tfbook.exercises import vectors as exercises


def encode(word, merges):
    """One merge after the other, in their order."""
    pieces = list(word)
    for pair in merges:
        i = 0
        while i + 1 < len(pieces):
            if (pieces[i], pieces[i + 1]) == pair:
                pieces[i : i + 2] = ["".join(pair)]
            i += 1
    return pieces


def encode_by_rank(word, merges):
    """The earliest merge that fits, again and again."""
    pieces = list(word)
    while fitting := [pair for pair in pairwise(pieces) if pair in merges]:
        pair = min(fitting, key=merges.index)
        i = next(i for i, near in enumerate(pairwise(pieces)) if near == pair)
        pieces[i : i + 2] = ["".join(pair)]
    return pieces


def longest_first(word, merges):
    """The longest piece that fits, from the left: another algorithm (WordPiece's)."""
    known, pieces = {left + right for left, right in merges}, []
    while word:
        sizes = [n for n in range(len(word), 0, -1) if n == 1 or word[:n] in known]
        pieces.append(word[: sizes[0]])
        word = word[sizes[0] :]
    return pieces


def first_place_only(word, merges):
    pieces = list(word)
    for pair in merges:
        if pair in list(pairwise(pieces)):
            i = list(pairwise(pieces)).index(pair)
            pieces[i : i + 2] = ["".join(pair)]
    return pieces


TRUTHS = {"_bytes_an_id": 2.170}
RIGHT = {
    exercises.check_three_merges: [["at", "cat", "rat"], ("at", "cat", "rat")],
    exercises.check_encode: [encode, encode_by_rank],
    exercises.check_other_text: [2.17, 2.2],
}
WRONG = [
    (exercises.check_three_merges, ["at", "cat", "ats"], "count anew"),
    (exercises.check_three_merges, ["ca", "at", "ra"], "times the word's count"),
    (exercises.check_three_merges, ["at", "cat"], "the three pieces"),
    (exercises.check_three_merges, "at cat rat", "a list of strings"),
    (exercises.check_encode, longest_first, "the earliest merge"),
    (exercises.check_encode, first_place_only, "every occurrence"),
    (exercises.check_encode, lambda word, merges: list(word), "the earliest merge"),
    (exercises.check_encode, lambda word, merges: word, "a list of strings"),
    (exercises.check_encode, lambda word, merges: [word[1:]], "make it up again"),
    (exercises.check_encode, lambda word: [], "a function of word, merges"),
    (exercises.check_other_text, 0.46, "not ids by bytes"),
    (exercises.check_other_text, 3.9, "the validation words"),
    (exercises.check_other_text, 2, "the validation words"),
    (exercises.check_other_text, float("nan"), "a finite number"),
]
