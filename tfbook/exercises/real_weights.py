"""Checks for lesson 4.11, real weights in your Transformer."""

import functools

import torch

from tfbook.data.waves import resample
from tfbook.exercises.report import (
    RESULT,
    checked,
    function,
    items,
    numbers,
    share,
    tensor,
)
from tfbook.pretrained.whisper import load_whisper
from tfbook.pretrained.word_times import word_times
from tfbook.tasks.speech.synthesiser import speak_words

SENTENCE = "The children built a castle of sand and shells."  # the lesson's


@checked
def check_share(answer):
    """The share of MiniLM's parameters that the table of pieces holds."""
    answer = share(answer)
    truth = 30_522 * 384 / 22.6e6  # all numbers are in the task
    if abs(answer - (1 - truth)) < 0.006:
        return "that is the share of all the rest"
    if abs(answer - truth) > 0.006:
        return "pieces times d_model, divided by all parameters"


@checked
def check_head_by_head(answer):
    """A function from (3·d_model, d_model), stored head by head, and n_heads to the
    matrices of query, key and value.
    """
    split = function(answer, "weight", "n_heads")
    for n_heads, d_head in ((1, 2), (3, 2), (5, 4)):
        d_model = n_heads * d_head
        parts = torch.randn(3, n_heads, d_head, d_model)
        weight = parts.transpose(0, 1).flatten(0, 2)  # (3·d_model, d_model)
        wanted = parts.flatten(1, 2)  # (3, d_model, d_model)
        result = items(split(weight, n_heads), "three matrices", RESULT)
        if len(result) != 3:
            return f"return three matrices, query, key and value; got {len(result)}"
        for name, part in zip(("query", "key", "value"), result, strict=True):
            tensor(part, wanted[0], name, shape="(d_model, d_model)")
        if all(map(torch.equal, result, wanted)):
            continue
        if all(map(torch.equal, result, weight.chunk(3))):
            return "chunk(3) cuts between heads, not between query, key and value"
        order = [
            any(torch.equal(part, other) for other in wanted) for part in result
        ]
        if all(order):
            return "the order is query, key, value"
        return "first cut the rows by head, then by which of the three"


@checked
def check_silence(answer):
    """When the first and the second word begin behind two seconds of silence."""
    first, second = numbers(
        answer,
        "the second at which the first word begins",
        "that of the second word",
    )
    begins, second_begins = _first_words()
    if abs(first - begins) > 0.03:
        return (
            "run it: the path begins in the first corner, whatever is heard there"
        )
    if abs(second - second_begins) > 0.1:
        return "the second word comes more than two seconds later: was the sound longer, too?"


@functools.cache
def _first_words():
    """When Whisper hears the first two begin, behind two seconds of silence."""
    hearer = load_whisper()
    spoken, rate, _ = speak_words(SENTENCE, rate=160)
    wave = torch.cat((torch.zeros(2 * 16_000), resample(spoken, rate, 16_000)))
    text = hearer.tokenizer.encode(f" {SENTENCE}", add_special_tokens=False).ids
    with torch.no_grad():
        memory = hearer.encode(hearer.spectrogram([wave]))
    times = word_times(hearer, memory, torch.tensor(text), len(wave) / 16_000)
    return [time for _, time in times[:2]]
