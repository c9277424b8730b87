"""What does the shipped pronouncer lose without one of its heads?

Every fourth validation word, greedy, stress dropped. Each of the 36 heads is silenced in turn,
in two ways: its share of the output is zero, or its mean over the positions of these words.
Then all heads of a layer's attention at once, and each feed-forward. Nothing is trained again.
For each the error rates, the words that get another answer, and those newly wrong and newly
right. About four minutes on one core.
"""

from contextlib import contextmanager

import torch
from provenance import write

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import load_pronouncer
from tfbook.tasks.pronunciation.dictionary import load_pronunciation

NOTHING_DRAWN = "no seed: nothing here is drawn, and the weights have their own"
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


def main():
    pronouncer, dictionary = load_pronouncer(), load_pronunciation()["validation"]
    words = {word: dictionary[word] for word in sorted(dictionary)[::4]}
    variants, model = list(words.values()), pronouncer.model

    def answers():
        found = pronouncer.pronounce_all(list(words), beam=1)
        return [tuple(best[0][0]) for best in found]

    whole = answers()

    def compared(said):
        per, wer = error_rates(said, variants)
        pairs = [
            (a in known, b in known)
            for a, b, known in zip(whole, said, variants, strict=True)
        ]
        return {
            "PER": round(per, 4),
            "WER": round(wer, 4),
            "another answer": sum(a != b for a, b in zip(whole, said, strict=True)),
            "newly wrong": pairs.count((True, False)),
            "newly right": pairs.count((False, True)),
        }

    constants = means(model, answers)
    numbers = {"words": len(words), "nothing": compared(whole)}
    numbers |= {
        "head": {},
        "head by its mean": {},
        "all heads": {},
        "feed-forward": {},
    }

    def enter(group, name):
        numbers[group][name] = compared(answers())
        print(group, name, numbers[group][name], flush=True)

    for (kind, i), layer in attentions(model).items():
        output, width = layer.output_projection, layer.d_head
        for head in range(layer.n_heads):
            columns = slice(head * width, (head + 1) * width)
            with removed(output, columns):
                enter("head", f"{kind} {i}.{head + 1}")
        with removed(output, slice(None)):
            enter("all heads", f"{kind} {i}")
    for stack in ("encoder", "decoder"):
        for i, layer in enumerate(getattr(model, stack).layers, 1):
            output = layer.feed_forward.linear_2
            with removed(output, slice(None)):
                enter("feed-forward", f"{stack} {i}")
    for (kind, i), layer in attentions(model).items():
        output, width = layer.output_projection, layer.d_head
        for head in range(layer.n_heads):
            columns = slice(head * width, (head + 1) * width)
            with removed(output, columns, constants[kind, i]):
                enter("head by its mean", f"{kind} {i}.{head + 1}")
    write("heads_removed", numbers, NOTHING_DRAWN)


if __name__ == "__main__":
    main()
