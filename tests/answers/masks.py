"""Lesson: masks."""

import torch

from tfbook.exercises import masks as exercises


def window_of(length, window, past, *, wider=0, ahead=False, top_left=False):
    """The mask of a sliding window, with the usual slips as options."""
    keys = torch.arange(past + length)
    queries = keys[:length, None] if top_left else keys[past:, None]
    mask = keys > queries - window - wider  # (T, past + T)
    return (mask if ahead else mask & (keys <= queries))[None, None]


def slip(**options):
    return lambda *given: window_of(*given, **options)


def by_triangles(length, window, past):
    square = torch.ones(past + length, past + length, dtype=torch.bool)
    return (square.tril() & square.triu(1 - window))[None, None, past:]


RIGHT = {
    exercises.check_count: [21, 1 + 2 + 3 + 3 + 3 + 1 + 2 + 2 + 2 + 2],
    exercises.check_window: [window_of, by_triangles],
    exercises.check_pads_needed: [1],
}
WRONG = [
    (exercises.check_count, 30, "the causal mask alone"),
    (exercises.check_count, 5 * (3 + 2), "the padding mask alone"),
    (exercises.check_count, 9, "their rows count too"),
    (exercises.check_count, 24, "row by row"),
    (exercises.check_window, slip(ahead=True), "query 0 should see the keys [0]"),
    (exercises.check_window, slip(wider=1), "window 2, past 0: query 2"),
    (exercises.check_window, slip(top_left=True), "past 5: query 0"),
    (
        exercises.check_window,
        lambda *given: window_of(*given).double(),
        "of dtype torch.bool",
    ),
    (
        exercises.check_window,
        lambda *given: window_of(*given)[0, 0],
        "a tensor of shape (1, 1, 5, 5)",
    ),
    (
        exercises.check_window,
        lambda length, window: window_of(length, window, 0),
        "a function of",
    ),
    (exercises.check_pads_needed, 0, "goes on after the last symbol"),
    (exercises.check_pads_needed, 3, "gets by with fewer"),
    (exercises.check_pads_needed, 1.5, "a whole number"),
]
