"""Lesson: translation with reordering."""

from collections import Counter

from tfbook.exercises import translation as exercises


def ceiling(pairs, best=max, whole=None):
    answers = {}
    for english, chinese in pairs:
        answers.setdefault(english, Counter())[chinese] += 1
    return sum(best(each.values()) for each in answers.values()) / (
        whole or len(pairs)
    )


RIGHT = {
    exercises.check_crossings: [3],
    exercises.check_ceiling: [ceiling],
    exercises.check_weekday: [(1.0, 0.1013), [0.99, 0.05], (0.96, 0.0)],
}
WRONG = [
    (exercises.check_crossings, 6, "keep their order"),
    (exercises.check_crossings, 5, "3, 0, 1, 2"),
    (exercises.check_crossings, 3.5, "a whole number"),
    (exercises.check_crossings, True, "a number, got True"),
    (exercises.check_ceiling, lambda p: ceiling(p, whole=1), "divide by"),
    (exercises.check_ceiling, lambda p: len(dict(p)) / len(p), "most often"),
    (exercises.check_ceiling, lambda p: ceiling(p, best=min), "most often"),
    (exercises.check_ceiling, lambda p: 0.5, "all can be right"),
    (exercises.check_ceiling, lambda p: None, "should be a number"),
    (exercises.check_weekday, (0.1, 0.9), "in this order"),
    (exercises.check_weekday, (0.0, 0.0), "in this order"),
    (exercises.check_weekday, (0.85, 0.45), "that learned all formats"),
    (exercises.check_weekday, (0.99, 0.98), "exact, weekday and all"),
    (exercises.check_weekday, (99, 10), "from 0 to 1"),
    (exercises.check_weekday, 0.9, "a list of 2 numbers"),
]
