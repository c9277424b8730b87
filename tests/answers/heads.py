"""Lesson: many heads."""

from fractions import Fraction

from tfbook.exercises import heads as exercises


def grouped(query, key, value, *, repeat=None, scale=True):
    """Grouped-query attention, with the usual slips as options."""
    times = query.size(1) // key.size(1)
    repeat = repeat or (lambda x: x.repeat_interleave(times, dim=1))
    scores = query @ repeat(key).transpose(-2, -1)  # (B, H, T, S)
    scores = scores / query.size(-1) ** 0.5 if scale else scores
    return scores.softmax(-1) @ repeat(value)  # (B, H, T, D)


def grouped_by_broadcast(query, key, value):
    groups = query.unflatten(1, (key.size(1), -1))  # (B, G, H / G, T, D)
    scores = groups @ key.transpose(-2, -1)[:, :, None]  # (B, G, H / G, T, S)
    weights = (scores / query.size(-1) ** 0.5).softmax(-1)
    return (weights @ value[:, :, None]).flatten(1, 2)  # (B, H, T, D)


def tiled(query, key, value):
    times = query.size(1) // key.size(1)
    return grouped(query, key, value, repeat=lambda x: x.repeat(1, times, 1, 1))


RIGHT = {
    exercises.check_best_with_one_mean: [21 / 36, Fraction(7, 12), 0.58],
    exercises.check_grouped_query_attention: [grouped, grouped_by_broadcast],
    exercises.check_without_order: [1.0, 0.985, 0.94],
}
WRONG = [
    (exercises.check_best_with_one_mean, 0.55, "count the pairs"),
    (exercises.check_best_with_one_mean, 1.0, "(a, b) and (b, a) share one"),
    (exercises.check_best_with_one_mean, 21, "a share from 0 to 1"),
    (exercises.check_best_with_one_mean, "half", "a number"),
    (exercises.check_grouped_query_attention, tiled, "neighbouring heads"),
    (
        exercises.check_grouped_query_attention,
        lambda *given: grouped(*given, scale=False),
        "are scores scaled",
    ),
    (
        exercises.check_grouped_query_attention,
        lambda query, key, value: value,
        "(B, H, T, D) = (2, 6, 7, 10)",
    ),
    (
        exercises.check_grouped_query_attention,
        lambda query, key, value: (
            query
            if key.size(1) in (1, query.size(1))
            else grouped(query, key, value)
        ),
        "with 5 heads and 5 groups",
    ),
    (exercises.check_grouped_query_attention, 3, "a function of"),
    (exercises.check_without_order, 0.12, "sort the answers"),
    (exercises.check_without_order, 0.85, "sort the answers"),
    (exercises.check_without_order, 98.0, "a share from 0 to 1"),
]
