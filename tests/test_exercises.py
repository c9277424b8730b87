"""The checks that readers call: silent on nothing, right on right answers, helpful on wrong."""

import importlib
import inspect
import math
import pkgutil

import pytest
import torch
import torch.nn.functional as F

from tfbook import exercises
from tfbook.exercises import part4
from tfbook.exercises.report import checked

ARTICLE = 7 * 12 + 12 + 12 * 12 + 12
ATTENTION, FEED_FORWARD, NORM = 4 * (6 * 6 + 6), 6 * 10 + 10 + 10 * 6 + 6, 2 * 6


def split(x, n_heads):
    batch, length, d_model = x.shape
    return x.view(batch, length, n_heads, d_model // n_heads).permute(
        0, 2, 1, 3
    )  # (B, H, T, D)


def split_by_loop(x, n_heads):
    return torch.stack(x.chunk(n_heads, dim=-1), dim=1)  # (B, H, T, D)


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


def smoothed(logits, truth, epsilon):
    logs = logits.log_softmax(-1)  # (N, V)
    picked = logs[torch.arange(len(truth)), truth]  # (N,)
    return (-(1 - epsilon) * picked - epsilon * logs.mean(-1)).mean()


def smoothed_over_the_others(logits, truth, epsilon):
    """The share goes to all symbols but the truth, a usual slip."""
    logs, v = logits.log_softmax(-1), logits.size(-1)  # (N, V)
    picked = logs[torch.arange(len(truth)), truth]  # (N,)
    rest = (logs.sum(-1) - picked) / (v - 1)
    return (-(1 - epsilon) * picked - epsilon * rest).mean()


def top_p(probabilities, p, *, more=0, scaled=True):
    order = probabilities.argsort(descending=True)
    kept, total = torch.zeros_like(probabilities), 0.0
    for count, symbol in enumerate(order.tolist()):
        kept[symbol] = probabilities[symbol]
        total += float(probabilities[symbol])
        if total >= p and count >= more:
            break
    return kept / kept.sum() if scaled else kept


def top_p_in_place(probabilities, p):
    kept = top_p(probabilities, p)
    return probabilities.copy_(kept)


RIGHT = {
    part4.check_first_losses: [(3.738, 3.738), [math.log(42), math.log(42)]],
    part4.check_smoothed_loss: [
        smoothed,
        lambda z, y, e: F.cross_entropy(z, y, label_smoothing=e),
    ],
    part4.check_wider_batches: [0.05, 0.12],
    part4.check_cache_positions: [(55, 10), [55, 10]],
    part4.check_top_p: [top_p],
    part4.check_length_penalty: [0.05, 0.4],
    part4.check_article_parameters: [ARTICLE],
    part4.check_split_heads: [split, split_by_loop],
    part4.check_reach: [5],
    part4.check_decoder_layer_parameters: [2 * ATTENTION + FEED_FORWARD + 3 * NORM],
    part4.check_greedy: [greedy],
    part4.check_without_positions: [0.0, 0.02, 0.07],
}
WRONG = [
    (part4.check_first_losses, 3.738, "give a pair"),
    (part4.check_first_losses, (3.7, 3.7), "a third digit"),
    (part4.check_first_losses, (math.log(42), 0.9 * math.log(42)), "p(v) = 1/42"),
    (part4.check_smoothed_loss, F.cross_entropy, "your answer raised TypeError"),
    (
        part4.check_smoothed_loss,
        lambda z, y, e: F.cross_entropy(z, y),
        "without smooth",
    ),
    (part4.check_smoothed_loss, smoothed_over_the_others, "the truth too"),
    (part4.check_smoothed_loss, lambda z, y, e: z, "one number is wanted"),
    (part4.check_wider_batches, 0.4, "bucket(pairs, 11200, draw)"),
    (part4.check_wider_batches, 5, "a share from 0 to 1"),
    (part4.check_cache_positions, 55, "give a pair"),
    (part4.check_cache_positions, (100, 10), "step t computes"),
    (part4.check_cache_positions, (55, 1), "each step computes one key"),
    (part4.check_top_p, lambda p, share: p, "fewest most probable"),
    (part4.check_top_p, lambda p, share: top_p(p, share, more=1), "fewest most"),
    (
        part4.check_top_p,
        lambda p, share: top_p(p, share, scaled=False),
        "sum to one",
    ),
    (part4.check_top_p, top_p_in_place, "work on a copy"),
    (part4.check_top_p, lambda p, share: p.tolist(), "a tensor of shape"),
    (part4.check_length_penalty, -0.2, "small and positive"),
    (part4.check_length_penalty, "longer", "as a float"),
    (part4.check_article_parameters, ARTICLE - 24, "and biases"),
    (part4.check_article_parameters, 7 * 12, "every input of every output"),
    (part4.check_article_parameters, "many", "every input of every output"),
    (part4.check_split_heads, lambda x, n: x, "(B, H, T, d_head) = (2, 5, 3, 7)"),
    (part4.check_split_heads, lambda x, n: split(x, n).tolist(), "shape should be"),
    (
        part4.check_split_heads,
        lambda x, n: x.view(split(x, n).shape),
        "head 0 does not hold",
    ),
    (
        part4.check_split_heads,
        lambda x, n: split(x, n).flip(1),
        "head 0 does not hold",
    ),
    (part4.check_split_heads, lambda x: x, "your answer raised TypeError"),
    (part4.check_split_heads, 3, "your answer raised TypeError"),
    (part4.check_reach, 4, "one layer reaches 2"),
    (part4.check_reach, 10, "position 9"),
    (
        part4.check_decoder_layer_parameters,
        ATTENTION + FEED_FORWARD + 2 * NORM,
        "two attentions",
    ),
    (
        part4.check_decoder_layer_parameters,
        2 * ATTENTION + FEED_FORWARD,
        "three norms",
    ),
    (part4.check_greedy, slip(keep_start=True), "without the start symbol"),
    (part4.check_greedy, slip(pads="never"), "replaced by pad"),
    (part4.check_greedy, slip(pads="after stop"), "replaced by pad"),
    (part4.check_greedy, slip(to_the_end=True), "shape should be"),
    (
        part4.check_greedy,
        lambda *given: greedy(*given[:4], given[4] - 1),
        "shape should be",
    ),
    (
        part4.check_greedy,
        lambda *given: greedy(*given)[0],
        "return a tensor of ids",
    ),
    (
        part4.check_greedy,
        lambda *given: greedy(*given).tolist(),
        "return a tensor of ids",
    ),
    (
        part4.check_greedy,
        lambda model, source: source,
        "your answer raised TypeError",
    ),
    (part4.check_without_positions, 0.97, "positions='none'"),
    (part4.check_without_positions, 7, "a share from 0 to 1"),
    (part4.check_without_positions, 7.0, "a share from 0 to 1"),
    (part4.check_without_positions, float("nan"), "a share from 0 to 1"),
    (part4.check_without_positions, "none", "a share from 0 to 1"),
]


def all_checks():
    """Every public function of tfbook.exercises but the one that makes checks."""
    for found in pkgutil.iter_modules(exercises.__path__):
        module = importlib.import_module(f"{exercises.__name__}.{found.name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            ours = function.__module__ == module.__name__ and not name.startswith(
                "_"
            )
            if ours and function is not checked:
                yield function


CHECKS = list(all_checks())


def says(capsys, check, answer):
    """What a check prints, in one line."""
    check(answer)
    out, err = capsys.readouterr()
    assert err == "" and out.endswith("\n")
    return out[:-1]


def test_every_check_is_tested_here():
    every = set(CHECKS)
    assert every == set(RIGHT) == {check for check, *_ in WRONG}
    assert all(
        check.__name__.startswith("check_") and check.__wrapped__ for check in every
    )
    parts = {f"{exercises.__name__}.{name}" for name in exercises.__all__}
    assert parts == {check.__module__ for check in every}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_answer_yet(check, capsys):
    assert says(capsys, check, None) == "not attempted"


@pytest.mark.parametrize(
    "check, answer",
    [(check, answer) for check, answers in RIGHT.items() for answer in answers],
)
def test_right_answers(check, answer, capsys):
    assert says(capsys, check, answer) == "correct"


@pytest.mark.parametrize("check, answer, hint", WRONG)
def test_wrong_answers(check, answer, hint, capsys):
    said = says(capsys, check, answer)
    assert said.startswith("not yet: ") and "\n" not in said
    assert hint in said


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("answer", [object(), [], float, torch.ones(2, 3)])
def test_no_answer_makes_a_check_raise(check, answer, capsys):
    assert says(capsys, check, answer).startswith("not yet: ")


@pytest.mark.parametrize("check", [part4.check_split_heads, part4.check_greedy])
def test_answer_that_raises_is_told_what(check, capsys):
    said = says(capsys, check, lambda *given: 1 / 0)
    assert said == "not yet: your answer raised ZeroDivisionError: division by zero"
    with pytest.raises(KeyboardInterrupt):
        check(interrupted)


def interrupted(*given):
    raise KeyboardInterrupt
