"""Lesson: real weights in your Transformer."""

from tfbook.exercises import real_weights as exercises


def head_by_head(weight, n_heads):
    rows = weight.unflatten(0, (n_heads, 3, -1))  # (H, 3, D, d_model)
    return tuple(rows.transpose(0, 1).flatten(1, 2))  # (H·D, d_model) each


def key_first(weight, n_heads):
    query, key, value = head_by_head(weight, n_heads)
    return key, query, value


def heads_of_another_kind(weight, n_heads):
    rows = weight.unflatten(0, (-1, 3, n_heads))  # (D, 3, H, d_model)
    return tuple(rows.transpose(0, 1).flatten(1, 2))  # (D·H, d_model) each


TRUTHS = {"_first_words": [0.0, 2.26]}
RIGHT = {
    exercises.check_share: [0.52, 0.5186],
    exercises.check_head_by_head: [head_by_head],
    exercises.check_silence: [(0.0, 2.26), [0, 2.2], (0.0, 2.3)],
}
WRONG = [
    (exercises.check_share, 0.48, "all the rest"),
    (exercises.check_share, 0.5, "pieces times d_model"),
    (exercises.check_share, 0.1, "pieces times d_model"),
    (exercises.check_share, 52, "a share from 0 to 1"),
    (
        exercises.check_head_by_head,
        lambda w, n: w.chunk(2),
        "return three matrices",
    ),
    (exercises.check_head_by_head, lambda w, n: w.chunk(3), "cuts between heads"),
    (exercises.check_head_by_head, key_first, "query, key, value"),
    (exercises.check_head_by_head, heads_of_another_kind, "first cut the rows"),
    (exercises.check_silence, 2.0, "a list of 2 numbers"),
    (exercises.check_silence, (2.0, 2.3), "the first corner"),
    (exercises.check_silence, (0.0, 0.3), "was the sound longer"),
]
