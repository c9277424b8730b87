"""What does the shipped pronouncer lose without one of its heads?

Every fourth validation word, greedy, stress dropped. Each of the 36 heads is silenced in turn,
in two ways: its share of the output is zero, or its mean over the positions of these words.
Then all heads of a layer's attention at once, and each feed-forward. Nothing is trained again.
For each the error rates, the words that get another answer, and those newly wrong and newly
right.
"""

from contextlib import contextmanager
from functools import cache, partial

import torch
from run import Experiment

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation

KINDS = {
    "encoder self": ("encoder", "self_attention"),
    "decoder self": ("decoder", "self_attention"),
    "cross": ("decoder", "cross_attention"),
}


def attentions(model):
    """{(kind, layer from 1): its attention}."""
    return {
        (kind, i): getattr(layer, name)
        for kind, (stack, name) in KINDS.items()
        for i, layer in enumerate(getattr(model, stack).layers, 1)
    }


@contextmanager
def removed(output, columns, instead=None):
    """A linear map that reads zeros in these columns, or the constants `instead`."""
    weight, bias = output.weight.detach().clone(), output.bias.detach().clone()
    with torch.no_grad():
        if instead is not None:
            output.bias += weight[:, columns] @ instead[columns]  # (d_model,)
        output.weight[:, columns] = 0
    try:
        yield
    finally:
        with torch.no_grad():
            output.weight.copy_(weight)
            output.bias.copy_(bias)


def means(model, decode):
    """{(kind, layer): the mean input (d_model,) of its output projection, while decoding}."""
    sums = {}

    def add(key, inputs):
        total, n = sums.get(key, (0.0, 0))
        rows = inputs[0].flatten(0, -2)  # (positions, d_model)
        sums[key] = (total + rows.sum(dim=0), n + len(rows))

    hooks = [
        layer.output_projection.register_forward_pre_hook(
            lambda _, inputs, key=key: add(key, inputs)
        )
        for key, layer in attentions(model).items()
    ]
    decode()
    for hook in hooks:
        hook.remove()
    return {key: total / n for key, (total, n) in sums.items()}


@cache
def pronouncer():
    """The one whose heads are removed, and which answers."""
    return load_pronouncer()


@cache
def words():
    dictionary = load_pronunciation()["validation"]
    return {word: dictionary[word] for word in sorted(dictionary)[::4]}


def answers():
    hypotheses = pronouncer().pronounce_all(list(words()), beam=1)
    return [tuple(best[0][0]) for best in hypotheses]


whole = cache(answers)  # before anything is removed


def compared():
    """How the model as it is now answers, beside the whole model."""
    before, after, variants = whole(), answers(), list(words().values())
    per, wer = error_rates(after, variants)
    pairs = [
        (a in known, b in known)
        for a, b, known in zip(before, after, variants, strict=True)
    ]
    return {
        "PER": round(per, 4),
        "WER": round(wer, 4),
        "another answer": sum(a != b for a, b in zip(before, after, strict=True)),
        "newly wrong": pairs.count((True, False)),
        "newly right": pairs.count((False, True)),
    }


def each_head(by_mean):
    """Each head's share of the output replaced by zeros, or by its mean."""
    model, found = pronouncer().model, {}
    whole()
    constants = means(model, answers) if by_mean else {}
    for (kind, i), layer in attentions(model).items():
        width = layer.d_head
        for head in range(layer.n_heads):
            columns = slice(head * width, (head + 1) * width)
            with removed(
                layer.output_projection, columns, constants.get((kind, i))
            ):
                found[f"{kind} {i}.{head + 1}"] = compared()
    return found


def each_attention():
    found = {}
    whole()
    for (kind, i), layer in attentions(pronouncer().model).items():
        with removed(layer.output_projection, slice(None)):
            found[f"{kind} {i}"] = compared()
    return found


def each_feed_forward():
    found = {}
    whole()
    for stack in ("encoder", "decoder"):
        layers = getattr(pronouncer().model, stack).layers
        for i, layer in enumerate(layers, 1):
            with removed(layer.feed_forward.linear_2, slice(None)):
                found[f"{stack} {i}"] = compared()
    return found


experiment = Experiment(
    __file__,
    {
        "words": lambda: len(words()),
        "nothing": compared,
        "head": partial(each_head, False),
        "head by its mean": partial(each_head, True),
        "all heads": each_attention,
        "feed-forward": each_feed_forward,
    },
    seeds="no seed: nothing here is drawn, and the weights have their own",
    minutes=4,
)
