"""Lesson: a map of the field."""

import torch

from tfbook.exercises import map as exercises


def together(x, rows, columns):
    p = int(x.size(-1) ** 0.5)
    squares = x.view(len(x), rows, columns, p, p)  # (n, rows, columns, p, p)
    return squares.transpose(2, 3).reshape(
        len(x), rows * p, -1
    )  # (n, height, width)


def row_by_row(x, rows, columns):
    p = int(x.size(-1) ** 0.5)
    squares = [x[:, i].view(-1, p, p) for i in range(x.size(1))]  # (n, p, p) each
    bands = [
        torch.cat(squares[i : i + columns], dim=2)
        for i in range(0, len(squares), columns)
    ]
    return torch.cat(bands, dim=1)


RIGHT = {
    exercises.check_counts: [(196, 98), [196, 98]],
    exercises.check_pictures_again: [together, row_by_row],
    exercises.check_shuffled: [0.08, 0.2, 0.28],
}
WRONG = [
    (exercises.check_counts, 196, "a list of 2 numbers"),
    (exercises.check_counts, (14, 98), "how many rows"),
    (exercises.check_counts, (196, 100), "must still fit"),
    (exercises.check_pictures_again, lambda x, r, c: x, "(n, height, width)"),
    (
        exercises.check_pictures_again,
        lambda x, r, c: x.reshape(together(x, r, c).shape),
        "not where they were",
    ),
    (
        exercises.check_pictures_again,
        lambda x, r, c: together(x, r, c).tolist(),
        "(n, height, width)",
    ),
    (exercises.check_shuffled, 0.93, "are they shuffled"),
    (exercises.check_shuffled, 0.69, "are they shuffled"),
    (exercises.check_shuffled, 0.0, "less than chance"),
    (exercises.check_shuffled, 30, "a share from 0 to 1"),
]
