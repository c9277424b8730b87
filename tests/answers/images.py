"""Lesson: images."""

import torch
import torch.nn.functional as F

from tfbook.exercises import images as exercises


def for_grid(table, old, new, *, corners=False, keep=True, mixed=False):
    token, places = table[:1], table[1:]
    grid = places.T.reshape(1, -1, *old)  # (1, d, h, w)
    if mixed:
        grid = places.reshape(1, -1, *old)  # (1, d, h, w), the axes confused
    grid = F.interpolate(grid, new, mode="bilinear", align_corners=corners)
    places = grid[0].flatten(1).T  # (h·w, d)
    return torch.cat((token if keep else 0 * token, places))


def in_place(table, old, new):
    result = for_grid(table, old, new)
    table += 1
    return result


def by_matrices(table, old, new):
    """Resizing along each axis is a matrix: that of the unit vectors, resized."""
    down, across = (
        F.interpolate(torch.eye(a)[None], b, mode="linear")[0].T  # (b, a)
        for a, b in zip(old, new, strict=True)
    )
    both = torch.kron(down.contiguous(), across.contiguous())
    return torch.cat((table[:1], both @ table[1:]))  # (1 + h·w, d)


RIGHT = {
    exercises.check_finer_patches: [(197, (785 / 197) ** 2), [197, 15.9]],
    exercises.check_places_for_grid: [for_grid, by_matrices],
    exercises.check_many_looks: [(0.7528, 0.8583), [0.72, 0.83], (0.75, 0.86)],
}
WRONG = [
    (exercises.check_finer_patches, 197, "a list of 2 numbers"),
    (exercises.check_finer_patches, (196, 16.0), "one vector more"),
    (exercises.check_finer_patches, (14, 16.0), "in a row and in a column"),
    (exercises.check_finer_patches, (197, 3.98), "a head weighs pairs"),
    (exercises.check_finer_patches, (197, 8.0), "the square of the number"),
    (exercises.check_places_for_grid, lambda t, old, new: t[:2], "of shape"),
    (exercises.check_places_for_grid, in_place, "work on a copy"),
    (
        exercises.check_places_for_grid,
        lambda t, old, new: for_grid(t, old, new, keep=False),
        "class token's row",
    ),
    (
        exercises.check_places_for_grid,
        lambda t, old, new: for_grid(t, old, new, corners=True),
        "leave align_corners",
    ),
    (
        exercises.check_places_for_grid,
        lambda t, old, new: for_grid(t, old, new, mixed=True),
        "before you resize it",
    ),
    (exercises.check_many_looks, 0.9, "a list of 2 numbers"),
    (exercises.check_many_looks, (75, 87), "from 0 to 1"),
    (exercises.check_many_looks, (0.99, 0.995), "moved by a pixel"),
    (exercises.check_many_looks, (0.75, 0.7), "average the probabilities"),
    (exercises.check_many_looks, (0.75, 0.75), "average the probabilities"),
    (exercises.check_many_looks, (0.75, 0.98), "average the probabilities"),
]
