"""Checks for lesson 4.6, recurrent against attention."""

import math

import torch

from tfbook.exercises.report import RESULT, checked, function, numbers, whole
from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.tasks.pronunciation.dictionary import LETTERS, SOUNDS

WEIGHTS = 935_296  # the lesson's Transformer


@checked
def check_kept_numbers(answer):
    """The numbers that a Transformer's self-attention (2 layers, d_model=128) and an
    LSTM (2 layers, d_model=168) keep after 1,000 symbols, as a pair.
    """
    transformer, lstm = numbers(answer, "the Transformer's numbers", "the LSTM's")
    if transformer in (256_000, 128_000, 2 * 128):
        return "each layer keeps a key and a value for every symbol so far"
    if lstm == 336:
        return "an LSTM's layer keeps a hidden state and a cell"
    if transformer != 2 * 2 * 128 * 1000:
        return (
            "the Transformer: 2 layers, a key and a value, 128 numbers, each symbol"
        )
    if lstm != 2 * 2 * 168:
        return "the LSTM: 2 layers, a hidden state and a cell, however long it runs"


@checked
def check_paired_error(answer):
    """A function from (b, c, n) to the difference of two word error rates and its
    standard error, as a pair.
    """
    paired_error = function(answer, "b", "c", "n")
    for b, c, n in ((30, 50, 200), (400, 0, 1000), (7, 7, 300)):
        each = torch.zeros(n, dtype=torch.float64)  # (n,)
        each[:b], each[b : b + c] = -1, 1
        mean, error = each.mean().item(), each.std(correction=0).item() / n**0.5
        result = numbers(
            paired_error(b, c, n), "the difference", "its error", name=RESULT
        )
        if b != c and math.isclose(result[0], -mean, rel_tol=1e-6):
            return "the sign: the first has b words right that the second has wrong"
        if not math.isclose(result[0], mean, rel_tol=1e-6, abs_tol=1e-12):
            return f"for {b}, {c}, {n} the difference is {mean:.4g}, got {result[0]:.4g}"
        if math.isclose(result[1], error * n**0.5, rel_tol=1e-2):
            return "that is the spread of one word: a mean of n varies less"
        if not math.isclose(result[1], error, rel_tol=1e-2):
            return (
                f"for {b}, {c}, {n} the error is {error:.4g}, got {result[1]:.4g}"
            )


@checked
def check_three_layers(answer):
    """The even width at which an LSTM of three layers has the Transformer's weights,
    within 2 %.
    """
    answer = whole(answer)
    if answer % 2 or not 2 <= answer <= 10_000:
        return f"give an even whole number from 2 to 10,000, got {answer}"
    shape = SequenceLSTMConfig(len(LETTERS), len(SOUNDS), answer, 3, 0.0)
    with torch.device("meta"):  # count the weights without making them
        size = sum(p.numel() for p in SequenceLSTM(shape).parameters())
    if abs(size / WEIGHTS - 1) > 0.02:
        return (
            f"three layers this wide have {size:,} weights, {WEIGHTS:,} are wanted"
        )
