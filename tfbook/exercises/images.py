"""Checks for lesson 4.9, images."""

import torch
import torch.nn.functional as F

from tfbook.data.recorded import recorded
from tfbook.exercises.report import (
    checked,
    function,
    numbers,
    outside,
    share,
    tensor,
)


@checked
def check_finer_patches(answer):
    """How many vectors enter a ViT for 224 × 224 pixels in patches of 16 × 16, and how
    many times as many attention weights a head has with patches of 8 × 8, as a pair.
    """
    vectors, ratio = numbers(answer, "the vectors", "the ratio of the weights")
    if vectors == 196:
        return "the patches are counted; one vector more enters"
    if vectors != 197:
        return "count the patches in a row and in a column, and the class token"
    if abs(ratio - 4) < 0.1:
        return "that is the ratio of the vectors; a head weighs pairs"
    if abs(ratio - (785 / 197) ** 2) > 0.15:
        return "a head's weights are the square of the number of vectors, token included"


@checked
def check_places_for_grid(answer):
    """A function from a table of positions (1 + h·w, d), the grid (h, w) that it is for
    and a new grid, to the table for the new grid, resized bilinearly.
    """
    resize = function(answer, "table", "old", "new")
    grids = ((3, 5), (3, 5), 7), ((4, 3), (8, 5), 2), ((2, 4), (3, 3), 5)
    for old, new, width in grids:
        table = torch.randn(1 + old[0] * old[1], width)
        before, wanted = table.clone(), _resized(table, old, new)
        result = tensor(resize(table, old, new), wanted, shape="(1 + h·w, d)")
        if not torch.equal(table, before):
            return "the reader's table was changed: work on a copy"
        if not torch.equal(result[0], table[0]):
            return (
                "the class token's row has no place in the grid: keep it as it is"
            )
        if torch.allclose(result, wanted, atol=1e-5):
            continue
        if torch.allclose(
            result, _resized(table, old, new, corners=True), atol=1e-5
        ):
            return "leave align_corners as it is: a place is a square, not a point"
        return "the numbers differ: is the grid (1, d, h, w) before you resize it?"


def _resized(table, old, new, corners=False):
    grid = table[1:].T.unflatten(1, old)[None]  # (1, d, h, w)
    grid = F.interpolate(grid, new, mode="bilinear", align_corners=corners)
    return torch.cat((table[:1], grid[0].flatten(1).T))  # (1 + h·w, d)


@checked
def check_many_looks(answer):
    """The shares right on moved pictures, with one look and with 16, as a pair."""
    one, many = numbers(
        answer, "the share right with one look", "that with 16", each=share
    )
    tried = recorded("4-code/exercises_4.json")["check_many_looks"]
    known = tried["one look"], tried["16 looks"]
    gains = [b - a for a, b in zip(*known, strict=True)]
    if outside(one, known[0], 0.03):
        return "that is not the share with one look: have the pictures been moved by a pixel?"
    if outside(many, known[1], 0.03) or outside(many - one, gains, 0.02):
        return "average the probabilities of 16 looks at each picture, then choose"
