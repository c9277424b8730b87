"""Checks for lesson 4.5, looking inside."""

import functools

import torch

from tfbook.exercises.report import checked, function, number, numbers, tensor
from tfbook.inspect.attention_maps import attention_layers
from tfbook.tasks.pronunciation import load_pronouncer, load_pronunciation

HEADS = "2.1", "2.3", "3.1"  # of the encoder: they look at the next letter


@checked
def check_rows(answer):
    """The rows, counted from 0, that predict the third of seven sounds and the stop."""
    sound, stop = numbers(
        answer, "the row of the third sound", "the row of the stop"
    )
    third, last = (
        3 - 1,
        8 - 1,
    )  # row 0 predicts the first symbol; the stop is the eighth
    if (sound, stop) == (third + 1, last + 1):
        return "in these rows the symbol is already read: its row is the one before"
    if sound != third:
        return "row 0 reads start and predicts the first sound; count on from there"
    if stop != last:
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
    answer, truth = number(answer), _together()
    if abs(answer - truth) <= 0.05 * truth:
        return None
    if answer < 1 < truth:
        return (
            "three heads that do one job hide each other's loss: together it shows"
        )
    return "divide by the sum over the three heads alone"


@functools.cache
def _together():
    pronouncer = load_pronouncer()
    layers = attention_layers(pronouncer.model, "encoder")
    words = sorted(load_pronunciation()["validation"])[::16]

    def answers(*heads):
        kept = [layer.output_projection.weight.detach().clone() for layer in layers]
        with torch.no_grad():
            for layer, head in (map(int, name.split(".")) for name in heads):
                d_head = layers[layer - 1].d_head
                columns = slice(d_head * (head - 1), d_head * head)
                layers[layer - 1].output_projection.weight[:, columns] = 0
            found = pronouncer.pronounce_all(words, beam=1)
            for layer, weight in zip(layers, kept, strict=True):
                layer.output_projection.weight.copy_(weight)
        return [best[0] for [best] in found]

    def changes(*heads):
        return sum(a != b for a, b in zip(answers(*heads), whole, strict=True))

    whole = answers()
    return changes(*HEADS) / sum(map(changes, HEADS))
