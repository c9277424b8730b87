"""How much faster is a training step because it leaves the pads out?

In training the fast twin of a model computes for real positions alone what treats each
position by itself (`tfbook.fast.packing`). Here it does so, and as if it did not: same
weights, same batches, those of bench.py. "gain" is the speed over that with pads, over nine
rounds: the median, and the middle half; "difference" the largest of the logits. The book's own
batches hold sequences of like length: what share of them are pads is counted as well. Needs
the extra "bench" and a quiet machine.
"""

from contextlib import nullcontext
from functools import partial

import torch
from run import Experiment

from tfbook.data.batching import bucket, pad_pairs
from tfbook.fast import accelerate, layers
from tfbook.fast.packing import Packing
from tfbook.pitfalls.patching import patched
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.training import PRESETS

from .bench import ROUNDS, SHORTEST, batch, ours, points, step
from .timing import middle_half, seconds


def computing_pads():
    """Let fast twins compute their pads, too."""
    return patched(layers, "Packing", lambda *_: Packing())


def farthest(model, source, target):
    """The largest difference between the logits of both ways at real positions."""
    with torch.no_grad():
        without = model(source, target[:, :-1])  # (B, T, V)
        with computing_pads():
            whole = model(source, target[:, :-1])  # (B, T, V)
    return (without - whole)[target[:, :-1] != 0].abs().max().item()


def compare(size, length, dtype, dropout, few_pads=False):
    """{"gain": [median, first quartile, third], "difference": of logits}."""
    *shape, tokens = size
    generator = torch.Generator().manual_seed(0)
    source, target = batch(tokens, length, generator, SHORTEST[few_pads])
    torch.manual_seed(0)
    model = accelerate(ours(*shape, 0.0)).train()
    difference = farthest(model, source, target)
    if not difference < 1e-4:
        raise ValueError(f"logits must be the same, got {difference:.1g} apart")
    model = accelerate(ours(*shape, dropout)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    once = partial(step, model, optimizer, source, target, dtype)
    times, ways = [[], []], (nullcontext, computing_pads)
    for first in range(ROUNDS):
        for which in (first % 2, 1 - first % 2):
            with ways[which]():
                once()  # the caches are the other's
                times[which].append(seconds(once))
    gains = [b / a for a, b in zip(*times, strict=True)]
    return {"gain": middle_half(gains), "difference": difference}


def pads_in_the_book():
    """The share of pads among the pronouncer's training batches: source, target."""
    pairs = encode_pairs(load_pronunciation()["train"])
    tokens = PRESETS["pronouncer"]["cpu"].tokens
    real, all_of_it = [0, 0], [0, 0]
    for indices in bucket(pairs, tokens, torch.Generator().manual_seed(0)):
        for side, ids in enumerate(pad_pairs([pairs[i] for i in indices])):
            real[side] += (ids != 0).sum().item()
            all_of_it[side] += ids.numel()
    return [round(1 - r / a, 4) for r, a in zip(real, all_of_it, strict=True)]


experiment = Experiment(
    __file__,
    {
        "pads in the pronouncer's batches": pads_in_the_book,
        **{point: partial(compare, *given) for point, given in points().items()},
    },
    seeds="no seed: times, of weights never scored",
    minutes=10,
    threads=0,
)
