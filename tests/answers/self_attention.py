"""Lesson: self-attention."""

from tfbook.exercises import self_attention as exercises


def attention(x, w_q, w_k, w_v, axis=-1, scale=6**-0.5):
    scores = (x @ w_q) @ (x @ w_k).T * scale  # (T, T)
    return scores.softmax(axis) @ (x @ w_v)  # (T, d)


RIGHT = {
    exercises.check_length_of_equal_cost: [64],
    exercises.check_self_attention: [attention],
    exercises.check_other_distance: [0.114, 0.1, 0.15],
}
WRONG = [
    (exercises.check_length_of_equal_cost, 32, "four projections"),
    (exercises.check_length_of_equal_cost, 128, "four projections"),
    (
        exercises.check_self_attention,
        lambda *given: attention(*given, axis=0),
        "keys",
    ),
    (
        exercises.check_self_attention,
        lambda *given: attention(*given, scale=1),
        "root of the key's width",
    ),
    (
        exercises.check_self_attention,
        lambda x, w_q, w_k, w_v: attention(x, w_k, w_q, w_v),
        "which of the three maps",
    ),
    (
        exercises.check_self_attention,
        lambda *given: attention(*given)[0],
        "(T, d) = (5, 6)",
    ),
    (exercises.check_other_distance, 1.0, "distance 30"),
    (exercises.check_other_distance, 0.0, "models[20]"),
    (exercises.check_other_distance, 0.49, "models[20]"),
    (exercises.check_other_distance, 12, "a share from 0 to 1"),
]
