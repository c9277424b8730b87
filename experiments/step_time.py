"""Is a training step slower than with PyTorch's own Transformer? Both at equal work, side by side.

Forward, backward, clipping and AdamW on the same batches of real words, with their real
padding and dropout 0.1, in turn, for three draws of batches; then the profile of ours.
Times are of one machine in one mood: only their ratio is a result. About two minutes.
"""

import statistics
import time

import torch
from provenance import write
from torch import nn
from torch.profiler import ProfilerActivity, profile

from tfbook import Transformer, TransformerConfig, causal_mask
from tfbook.data.batching import bucket, pad_pairs
from tfbook.data.pronunciation import (
    LETTERS,
    SOUNDS,
    encode_pairs,
    load_pronunciation,
)
from tfbook.model.layers import InputEmbedding
from tfbook.training.loop import sequence_loss

SEEDS = (0, 1, 2)
ROUNDS = 9
SIZES = {  # d_model, heads, layers, d_ff, tokens a batch
    "lesson": (128, 4, 2, 512, 700),
    "pronouncer": (256, 4, 3, 1024, 2000),
}


class TorchTransformer(nn.Module):
    """`torch.nn.Transformer` between our embeddings: the same work, their layers."""

    def __init__(self, config):
        super().__init__()
        self.source_embedding = InputEmbedding(config.source_vocab, config)
        self.target_embedding = InputEmbedding(config.target_vocab, config)
        self.layers = nn.Transformer(
            config.d_model,
            config.n_heads,
            config.n_layers,
            config.n_layers,
            config.d_ff,
            config.dropout,
            batch_first=True,
            norm_first=True,
        )
        self.output = nn.Linear(config.d_model, config.target_vocab, bias=False)
        self.output.weight = self.target_embedding.tokens.weight

    def forward(self, source, target):
        x = self.layers(
            self.source_embedding(source),
            self.target_embedding(target),
            tgt_mask=~causal_mask(target.size(1))[0, 0],
            src_key_padding_mask=source == 0,
            memory_key_padding_mask=source == 0,
            tgt_key_padding_mask=target == 0,
        )  # (B, T, d_model)
        return self.output(x)  # (B, T, V)


def step(model, optimizer, source, target):
    """One step of training, as `tfbook.training.loop.Training` takes it."""
    optimizer.zero_grad()
    loss = sequence_loss(model(source, target[:, :-1]), target[:, 1:])
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def compare(size, seed, pairs):
    """The medians over rounds, ours and theirs, in seconds a step."""
    d_model, n_heads, n_layers, d_ff, tokens = size
    config = TransformerConfig(
        len(LETTERS),
        len(SOUNDS),
        d_model,
        n_heads,
        n_layers,
        d_ff,
        dropout=0.1,
        max_length=64,
    )
    torch.manual_seed(seed)
    models = [Transformer(config), TorchTransformer(config)]
    optimizers = [
        torch.optim.AdamW(m.parameters(), 1e-4, fused=True) for m in models
    ]
    draw = torch.Generator().manual_seed(seed)
    batches = bucket(pairs, tokens, draw)[: ROUNDS + 1]
    times = [[], []]
    for batch in batches:  # the first warms up
        source, target = pad_pairs([pairs[i] for i in batch])
        for model, optimizer, seen in zip(models, optimizers, times, strict=True):
            start = time.perf_counter()
            for _ in range(3):
                step(model, optimizer, source, target)
            seen.append((time.perf_counter() - start) / 3)
    return [statistics.median(seen[1:]) for seen in times], (
        models[0],
        optimizers[0],
        source,
        target,
    )


def main():
    pairs = encode_pairs(load_pronunciation()["train"])
    numbers = {}
    for name, size in SIZES.items():
        ratios = []
        for seed in SEEDS:
            (ours, theirs), last = compare(size, seed, pairs)
            ratios.append(round(theirs / ours, 2))
            print(
                f"{name}: ours {1000 * ours:.0f} ms, nn.Transformer {1000 * theirs:.0f} ms"
            )
        numbers[name] = {"size": size, "nn.Transformer / ours": ratios}
        if name == "pronouncer":
            with profile(activities=[ProfilerActivity.CPU]) as profiled:
                step(*last)
    table = profiled.key_averages()
    print(table.table(sort_by="self_cpu_time_total", row_limit=10))
    total = sum(row.self_cpu_time_total for row in table)
    first = sorted(table, key=lambda row: -row.self_cpu_time_total)[:10]
    numbers["profile of ours"] = {
        row.key: round(row.self_cpu_time_total / total, 2) for row in first
    }
    write("step_time", numbers, SEEDS)


if __name__ == "__main__":
    main()
