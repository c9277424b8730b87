"""Checks for lesson 4.8, translation with reordering."""

from tfbook.exercises.report import checked


@checked
def check_crossings(answer):
    """Crossings from weekday, year, month, day to year, month, day, weekday."""
    if isinstance(answer, bool) or not isinstance(answer, int):
        return "give a whole number"
    if answer == 6:
        return "year, month and day keep their order: their lines don't cross"
    if answer != 3:
        return (
            "write the Chinese places in the English order, 3, 0, 1, 2, and count"
        )


@checked
def check_ceiling(answer):
    """A function from pairs (English, Chinese) to the best share any function of the
    English can get right.
    """
    twice = [("a", "x"), ("a", "x")]
    for pairs, wanted in (
        ([("a", "x"), ("b", "y"), ("c", "y")], 1.0),
        ([("a", "x"), ("a", "y")], 0.5),
        ([*twice, ("a", "y"), ("b", "x")], 0.75),
        ([*twice, ("a", "y"), ("a", "z"), ("b", "y")], 0.6),
    ):
        found = answer(list(pairs))
        if isinstance(found, bool) or not isinstance(found, int | float):
            return f"the result should be a number, got {type(found).__name__}"
        if abs(found - wanted) < 1e-9:
            continue
        if found > 1:
            return "divide by the number of pairs"
        if wanted == 1:
            return "where every English has one answer, all can be right"
        return (
            "for each English take the answer that occurs most often with it: "
            f"for {pairs} this is {wanted}, got {found:.3g}"
        )


@checked
def check_weekday(answer):
    """The shares exact with a long weekday and short month, and the reverse."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        return (
            "give a pair: the share with the long weekday, that with the short one"
        )
    if not all(0 <= share <= 1 for share in answer):
        return "give shares, from 0 to 1"
    if answer[0] <= answer[1]:
        return "the first pattern is the easy one: are the two in this order?"
    if answer[0] - answer[1] < 0.3:
        return (
            "the gap is wider: ask the model that learned all formats, and count only "
            "answers that are exact, weekday and all"
        )
