"""Lesson: language."""

import math

import torch

from tfbook.exercises import language as exercises

X, Y = 3.1 / math.log(2) / 4.2, 0.9 / math.log(2)


def temperature(logits, bits, *, nats=False, inverse=False):
    """By trying many; the entropy grows with the temperature."""
    tried = torch.logspace(-2, 2, 20_000)  # (n,)
    chances = (logits / tried[:, None]).softmax(-1)  # (n, V)
    entropy = torch.special.entr(chances).sum(-1) / (
        1 if nats else math.log(2)
    )  # (n,)
    found = tried[(entropy - bits).abs().argmin()].item()
    return 1 / found if inverse else found


def temperature_in_place(logits, bits):
    found = temperature(logits, bits)
    logits /= found
    return found


def stripped(text):
    return [line.strip() for line in text.splitlines()]


def copied(
    texts, files, *, cut=stripped, least=12, once=False, part=False, of=None
):
    known = {line for text in files.values() for line in stripped(text)}
    lines = [line for text in texts for line in cut(text)]
    long = [line for line in lines if len(line) >= least]
    if once:
        long = list(dict.fromkeys(long))
    if part:
        known = "\n".join(files.values())
    return sum(line in known for line in long) / len(of or long)


def first_file_only(texts, files):
    return copied(texts, dict(list(files.items())[:1]))


def long_before_stripping(texts, files):
    longer = (
        "\n".join(line for line in text.splitlines() if len(line) >= 12)
        for text in texts
    )
    return copied(list(longer), files, least=1)


RIGHT = {
    exercises.check_costs: [(X, Y), [1.06, 1.3]],
    exercises.check_temperature: [
        temperature,
        lambda x, b: torch.tensor(temperature(x, b)),
    ],
    exercises.check_copied: [copied],
}
WRONG = [
    (exercises.check_costs, 1.06, "a list of 2 numbers"),
    (exercises.check_costs, (3.1 / 4.2, 0.9), "nats are not bits"),
    (exercises.check_costs, (3.1 / math.log(2), Y), "bits an id"),
    (exercises.check_costs, (X * 2, Y), "divide the nats"),
    (exercises.check_temperature, lambda x, b: -1.0, "a number above 0"),
    (exercises.check_temperature, temperature_in_place, "work on a copy"),
    (
        exercises.check_temperature,
        lambda x, b: temperature(x, b, nats=True),
        "in nats",
    ),
    (
        exercises.check_temperature,
        lambda x, b: temperature(x, b, inverse=True),
        "divides the logits",
    ),
    (exercises.check_temperature, lambda x, b: 1.0, "asked for 1.0 bits"),
    (
        exercises.check_temperature,
        lambda x, b: temperature(x, b) if b > 0.5 else 0.1,
        "asked for 0.2 bits",
    ),
    (
        exercises.check_temperature,
        lambda x, b: min(temperature(x, b), 2.0),
        "asked for 2.7 bits",
    ),
    (exercises.check_copied, 0.14, "a function of texts, files"),
    (
        exercises.check_copied,
        lambda t, f: 100 * copied(t, f),
        "from 0 to 1, got 50",
    ),
    (exercises.check_copied, lambda t, f: "half", "a number, got 'half'"),
    (exercises.check_copied, lambda t, f: 0.14, "divide the copied lines"),
    (
        exercises.check_copied,
        lambda t, f: copied(t, f, of="\n".join(t)),
        "divide the copied lines",
    ),
    (
        exercises.check_copied,
        lambda t, f: copied(t, f, cut=str.splitlines),
        "on both sides",
    ),
    (
        exercises.check_copied,
        lambda t, f: copied(t, f, least=1),
        "from 12 characters on",
    ),
    (
        exercises.check_copied,
        lambda t, f: copied(t, f, least=13),
        "from 12 characters on",
    ),
    (exercises.check_copied, long_before_stripping, "without the spaces"),
    (
        exercises.check_copied,
        lambda t, f: copied(t, f, part=True),
        "compare whole lines",
    ),
    (exercises.check_copied, lambda t, f: copied(t, f, once=True), "as often as"),
    (exercises.check_copied, first_file_only, "the lines of all files"),
    (
        exercises.check_copied,
        lambda t, f: copied(t[:1], f),
        "as often as it is written",
    ),
]
