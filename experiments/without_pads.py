"""How much faster is a training step that leaves the pads out?

    python experiments/without_pads.py

What works position by position (norms, projections, feed-forward, dropout) does so for pads
too. Here the real positions of a batch lie end to end in one row, and only attention, which
needs to know who is beside whom, puts them back into the rectangle. Same weights, same
logits; batches of bench.py, a quarter pads. "gain" is the speed over that of
`tfbook.Transformer`, over nine rounds: the median, and the middle half. The book's own
batches hold sequences of one length: what share of them are pads is counted as well. Needs
the extra "bench". Ten minutes on a quiet machine.
"""

import functools

import torch
from bench import (
    ROUNDS,
    batch,
    middle_half,
    ours,
    points,
    seconds,
    step,
)
from provenance import write

from tfbook import Transformer, causal_mask
from tfbook.data.batching import bucket, pad_pairs
from tfbook.data.pronunciation import encode_pairs, load_pronunciation
from tfbook.model.attention import fused_attention
from tfbook.training.presets import PRONOUNCER


class Rows:
    """The real positions of a batch (B, T), end to end."""

    def __init__(self, keep):
        self.shape, self.real = keep.shape, keep.flatten().nonzero()[:, 0]

    def pack(self, x):
        """(B, T, D) to (1, N, D), for N real positions."""
        return x.flatten(0, 1).index_select(0, self.real)[None]

    def unpack(self, x):
        """(1, N, D) to (B, T, D), zero at pads."""
        whole = x.new_zeros(self.shape.numel(), x.size(-1))
        return whole.index_copy(0, self.real, x[0]).unflatten(0, self.shape)


def attend(layer, x, memory, mask, rows, memory_rows):
    """What a `MultiHeadAttention` answers, for packed x (1, N, D) and memory."""
    query = layer._split(rows.unpack(layer.query_projection(x)))
    key, value = (
        layer._split(memory_rows.unpack(project(memory)))
        for project in (layer.key_projection, layer.value_projection)
    )
    dropout = layer.dropout if layer.training else 0.0
    output = fused_attention(query, key, value, mask, dropout)
    return layer.output_projection(rows.pack(output.transpose(1, 2).flatten(2)))


class WithoutPads(Transformer):
    """The same model; its layers see real positions alone."""

    def forward(self, source, target):
        keep = self.mask_source(source)
        mine, theirs = (Rows(ids != self.config.pad) for ids in (target, source))
        memory = theirs.pack(self.source_embedding(source))
        for layer in self.encoder.layers:

            def look(x, attention=layer.self_attention):
                return attend(attention, x, x, keep, theirs, theirs)

            memory = layer.add_norm[0](memory, look)
            memory = layer.add_norm[1](memory, layer.feed_forward)
        memory = self.encoder.norm(memory)
        mask = self.mask_source(target) & causal_mask(target.size(1))
        x = mine.pack(self.target_embedding(target))
        for layer in self.decoder.layers:

            def look(x, attention=layer.self_attention):
                return attend(attention, x, x, mask, mine, mine)

            def consult(x, attention=layer.cross_attention):
                return attend(attention, x, memory, keep, mine, theirs)

            x = layer.add_norm[0](x, look)
            x = layer.add_norm[1](x, consult)
            x = layer.add_norm[2](x, layer.feed_forward)
        return mine.unpack(self.output(self.decoder.norm(x)))


def farthest(model, packed, source, target):
    """The largest difference between the logits of both at real positions."""
    with torch.no_grad():
        a, b = (m.eval()(source, target[:, :-1]) for m in (model, packed))
    model.train(), packed.train()
    return (a - b)[target[:, :-1] != 0].abs().max().item()


def compare(size, length, dtype, dropout):
    """{"gain": [median, first quartile, third], "difference": of logits}."""
    *shape, tokens = size
    torch.manual_seed(0)
    model = ours(*shape, dropout)
    packed = WithoutPads(model.config)
    packed.load_state_dict(model.state_dict())
    source, target = batch(tokens, length, torch.Generator().manual_seed(0))
    difference = farthest(model, packed, source, target)
    if not difference < 1e-4:
        raise ValueError(f"logits must be the same, got {difference:.1g} apart")
    steps = []
    for m in (model, packed):
        optimizer = torch.optim.AdamW(m.parameters(), 1e-4, fused=True)
        steps.append(functools.partial(step, m, optimizer, source, target, dtype))
    times = [[], []]
    for first in range(ROUNDS):
        for which in (first % 2, 1 - first % 2):
            steps[which]()  # the caches are the other's
            times[which].append(seconds(steps[which]))
    gains = [a / b for a, b in zip(*times, strict=True)]
    return {"gain": middle_half(gains), "difference": difference}


def pads_in_the_book():
    """The share of pads among the pronouncer's training batches: source, target."""
    pairs = encode_pairs(load_pronunciation()["train"])
    tokens = PRONOUNCER.tokens
    real, all_of_it = [0, 0], [0, 0]
    for indices in bucket(pairs, tokens, torch.Generator().manual_seed(0)):
        for side, ids in enumerate(pad_pairs([pairs[i] for i in indices])):
            real[side] += (ids != 0).sum().item()
            all_of_it[side] += ids.numel()
    return [round(1 - r / a, 4) for r, a in zip(real, all_of_it, strict=True)]


def main():
    numbers = {"pads in the pronouncer's batches": pads_in_the_book()}
    print(numbers, flush=True)
    for point, given in points().items():
        numbers[point] = compare(*given)
        print(point, numbers[point], flush=True)
    write("without_pads", numbers, "no seed: times, of weights never scored")


if __name__ == "__main__":
    main()
