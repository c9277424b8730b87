"""Lesson: full transformer."""

import torch

from tfbook.exercises import full_transformer as exercises

ATTENTION, FEED_FORWARD, NORM = 4 * (6 * 6 + 6), 6 * 10 + 10 + 10 * 6 + 6, 2 * 6


def greedy(model, source, start, stop, max_length, *, pads="from stop on", **slips):
    """Greedy decoding, with the usual slips as options."""
    ids = torch.full((len(source), 1), start)  # (B, 1)
    done = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(max_length):
        symbol = model(source, ids)[:, -1].argmax(-1)  # (B,)
        ended, done = done, done | (symbol == stop)
        hidden = {
            "from stop on": done,
            "after stop": ended,
            "never": ended & False,
        }[pads]
        ids = torch.cat(
            [ids, symbol.masked_fill(hidden, 0)[:, None]], dim=1
        )  # (B, T)
        if done.all() and not slips.get("to_the_end"):
            break
    return ids if slips.get("keep_start") else ids[:, 1:]


def slip(**options):
    return lambda *arguments: greedy(*arguments, **options)


RIGHT = {
    exercises.check_decoder_layer_parameters: [
        2 * ATTENTION + FEED_FORWARD + 3 * NORM
    ],
    exercises.check_greedy: [greedy],
    exercises.check_without_positions: [0.0261, 0.02, 0.03, 0.009],
}
WRONG = [
    (
        exercises.check_decoder_layer_parameters,
        ATTENTION + FEED_FORWARD + 2 * NORM,
        "two attentions",
    ),
    (
        exercises.check_decoder_layer_parameters,
        2 * ATTENTION + FEED_FORWARD,
        "three norms",
    ),
    (exercises.check_greedy, slip(keep_start=True), "without the start symbol"),
    (exercises.check_greedy, slip(pads="never"), "replaced by pad"),
    (exercises.check_greedy, slip(pads="after stop"), "replaced by pad"),
    (exercises.check_greedy, slip(to_the_end=True), "(B, at most max_length)"),
    (
        exercises.check_greedy,
        lambda *given: greedy(*given[:4], given[4] - 1),
        "(B, at most max_length)",
    ),
    (
        exercises.check_greedy,
        lambda *given: greedy(*given)[0],
        "(B, at most max_length)",
    ),
    (
        exercises.check_greedy,
        lambda *given: greedy(*given).tolist(),
        "(B, at most max_length)",
    ),
    (
        exercises.check_greedy,
        lambda model, source: source,
        "a function of",
    ),
    (exercises.check_without_positions, 0.97, "positions='none'"),
    (exercises.check_without_positions, 0.0, "not quite none"),
    (exercises.check_without_positions, 0.07, "positions='none'"),
    (exercises.check_without_positions, 7, "a share from 0 to 1"),
    (exercises.check_without_positions, 7.0, "a share from 0 to 1"),
    (exercises.check_without_positions, float("nan"), "a finite number"),
    (exercises.check_without_positions, "none", "a number"),
]
