"""Checks for lesson 4.8, translation with reordering."""

from itertools import combinations

from tfbook.data.recorded import recorded
from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    number,
    numbers,
    outside,
    share,
    whole,
)


@checked
def check_crossings(answer):
    """Crossings from weekday, year, month, day to year, month, day, weekday."""
    answer = whole(answer)
    chinese = 3, 0, 1, 2  # the places of weekday, year, month and day
    crossed = sum(a > b for a, b in combinations(chinese, 2))
    if answer == 6:
        return "year, month and day keep their order: their lines don't cross"
    if answer != crossed:
        return "write the Chinese positions in the English order, 3, 0, 1, 2, and count"


@checked
def check_ceiling(answer):
    """A function from pairs (English, Chinese) to the best share any function of the
    English can get right.
    """
    best_share = function(answer, "pairs")
    twice = [("a", "x"), ("a", "x")]
    for pairs, wanted in (
        ([("a", "x"), ("b", "y"), ("c", "y")], 1.0),
        ([("a", "x"), ("a", "y")], 0.5),
        ([*twice, ("a", "y"), ("b", "x")], 0.75),
        ([*twice, ("a", "y"), ("a", "z"), ("b", "y")], 0.6),
    ):
        result = number(best_share(list(pairs)), RESULT)
        if abs(result - wanted) < 1e-9:
            continue
        if result > 1:
            return "divide by the number of pairs"
        if wanted == 1:
            return "where every English has one answer, all can be right"
        return (
            "for each English take the answer that occurs most often with it: "
            f"for {pairs} this is {wanted}, got {result:.3g}"
        )


@checked
def check_weekday(answer):
    """The shares exact with a long weekday and short month, and the reverse."""
    long, short = numbers(
        answer,
        "the share with the long weekday",
        "that with the short one",
        each=share,
    )
    tried = recorded("4-code/exercises_4.json")["check_weekday"].values()
    wrong = [
        outside(a, seeds, 0.05)
        for a, seeds in zip((long, short), tried, strict=True)
    ]
    if not any(wrong):
        return None
    if long <= short:
        return "the first pattern is the easy one: are the two in this order?"
    return (
        "ask the model that learned all formats, and count only answers that are exact, "
        "weekday and all"
    )
