"""Checks for lesson 4.5, looking inside."""

import torch

from tfbook.exercises.report import checked, function, number, numbers, tensor


@checked
def check_rows(answer):
    """The rows, counted from 0, that predict the third of seven sounds and the stop."""
    sound, stop = numbers(
        answer, "the row of the third sound", "the row of the stop"
    )
    if (sound, stop) == (3, 8):
        return "in these rows the symbol is already read: its row is the one before"
    if sound != 2:
        return "row 0 reads start and predicts the first sound; count on from there"
    if stop != 7:
        return "the stop comes after seven sounds, which have the rows 0 to 6"


@checked
def check_rollout(answer):
    """A function from maps (L, H, S, S) to the rollout (S, S), the first layer first."""
    rollout = function(answer, "maps")
    for layers, heads, letters in ((1, 3, 5), (2, 2, 7), (3, 5, 4)):
        maps = torch.rand(layers, heads, letters, letters).softmax(
            -1
        )  # (L, H, S, S)
        before = maps.clone()
        result = tensor(
            rollout(maps), torch.empty(letters, letters), shape="(S, S)"
        )
        if not torch.equal(maps, before):
            return "the reader's maps were changed: work on a copy"
        mixed = (maps.mean(dim=1) + torch.eye(letters)) / 2  # (L, S, S)
        if layers == 1 and not torch.allclose(result, mixed[0], atol=1e-5):
            return "one layer is half the mean of its heads, half the identity"
        wanted, reverse = torch.eye(letters), torch.eye(letters)
        for layer in mixed:
            wanted = layer @ wanted  # (S, S)
            reverse = reverse @ layer  # (S, S)
        if torch.allclose(result, wanted, atol=1e-5):
            continue
        if torch.allclose(result, reverse, atol=1e-5):
            return "the later layer stands on the left of the product"
        return "multiply the layers' mixed maps, each the later times the earlier"


@checked
def check_together(answer):
    """The answers that change without three heads at once, as a share of the sum of the
    answers that change without each alone.
    """
    answer = number(answer)
    if answer < 1:
        return (
            "three heads that do one job hide each other's loss: together it shows"
        )
    if answer > 20:
        return "divide by the sum over the three heads alone"
