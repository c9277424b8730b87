"""Checks for lesson 4.8, translation with reordering."""

from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    number,
    numbers,
    share,
    whole,
)


@checked
def check_crossings(answer):
    """Crossings from weekday, year, month, day to year, month, day, weekday."""
    answer = whole(answer)
    if answer == 6:
        return "year, month and day keep their order: their lines don't cross"
    if answer != 3:
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
    if long <= short:
        return "the first pattern is the easy one: are the two in this order?"
    if long - short < 0.3:
        return (
            "the gap is wider: ask the model that learned all formats, and count only "
            "answers that are exact, weekday and all"
        )
