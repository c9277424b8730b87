"""Checks for lesson 1.0, a map of the field."""

import torch

from tfbook.data.recorded import recorded
from tfbook.exercises.report import (
    checked,
    function,
    numbers,
    outside,
    share,
    tensor,
)
from tfbook.model.vit import patches


@checked
def check_counts(answer):
    """The numbers of vectors of a photograph and of a sound, as a pair."""
    photograph, sound = numbers(
        answer, "the vectors of the photograph", "those of the sound"
    )
    if photograph != (224 // 16) ** 2:
        return "how many squares of 16 fit side by side into 224, and how many rows of them?"
    if sound != 1 + (16000 - 400) // 160:
        return "the last window must still fit: it may begin at sample 15,600 at the latest"


@checked
def check_pictures_again(answer):
    """A function from patches (n, T, p²) in reading order to pictures (n, height, width)."""
    pictures = function(answer, "patches", "rows", "columns")
    for rows, columns, p in ((3, 2, 5), (1, 4, 3), (2, 2, 1)):
        image = torch.randn(7, rows * p, columns * p)
        x = patches(image[:, None], (p, p))  # (7, T, p²)
        result = tensor(
            pictures(x, rows, columns), image, shape="(n, height, width)"
        )
        if not torch.equal(result, image):
            return "the shape is right, but the pixels are not where they were"


@checked
def check_shuffled(answer):
    """The share of pictures that are right when their patches are shuffled."""
    answer = share(answer)
    found = recorded("1-background/exercises_1.json")["check_shuffled"]["shuffled"]
    if not outside(answer, found, 0.05):  # another start or order moves it so far
        return None
    if answer > max(found):
        return "more than can be read from squares in the wrong places: are they shuffled?"
    return "less than chance, 0.1: do x and the labels belong to the same pictures?"
