"""How fast is a training step, beside the Transformers that others use?

    python experiments/bench.py [SIZE …]      sizes: small, middle, large

The same work for all, in one process and in turn: forward, backward, clipping and AdamW on
padded batches, dropout 0.1 wherever the paper has it and on the attention weights and
behind the activation. Medians over rounds, as tokens a second and as the share of the rate
at which this machine multiplies matrices of the same type. Times are of one
machine in one mood: only what is side by side compares; the ratios are kept by date. Needs
the extra "bench". Half an hour.
"""

import datetime
import json
import math
import statistics
import sys
import time

import torch
from provenance import RESULTS, write
from speed_table import ahead
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import BartConfig, BartForConditionalGeneration
from x_transformers import XTransformer

from tfbook import Transformer, TransformerConfig, causal_mask
from tfbook.training.loop import sequence_loss

SIZES = {  # d_model, heads, layers on each side, tokens on each side
    "small": (128, 4, 2, 2048),
    "middle": (256, 4, 4, 2048),
    "large": (512, 8, 2, 2048),
}
LENGTHS, ROUNDS, VOCAB, DROPOUT = (8, 32, 128, 512), 9, 1000, 0.1
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def ours(d_model, heads, layers):
    sizes = VOCAB, VOCAB, d_model, heads, layers, 4 * d_model
    return Transformer(TransformerConfig(*sizes, dropout=DROPOUT, max_length=512))


class TorchTransformer(nn.Module):
    """`nn.Transformer` between embeddings with learned positions and a tied output."""

    def __init__(self, d_model, heads, layers, norm_first):
        super().__init__()
        self.source, self.target = (nn.Embedding(VOCAB, d_model) for _ in range(2))
        self.place = nn.Embedding(512, d_model)
        self.dropout = nn.Dropout(DROPOUT)
        sizes = d_model, heads, layers, layers, 4 * d_model, DROPOUT
        self.layers = nn.Transformer(
            *sizes, batch_first=True, norm_first=norm_first
        )
        self.output = nn.Linear(d_model, VOCAB, bias=False)
        self.output.weight = self.target.weight

    def forward(self, source, target):
        keep = [self.place(torch.arange(ids.size(1))) for ids in (source, target)]
        x = self.layers(
            self.dropout(self.source(source) + keep[0]),
            self.dropout(self.target(target) + keep[1]),
            tgt_mask=~causal_mask(target.size(1))[0, 0],
            src_key_padding_mask=source == 0,
            memory_key_padding_mask=source == 0,
            tgt_key_padding_mask=target == 0,
        )  # (B, T, d_model)
        return self.output(x)  # (B, T, V)


class XTransformers(nn.Module):
    def __init__(self, d_model, heads, layers):
        super().__init__()
        sides = {
            "num_tokens": VOCAB,
            "depth": layers,
            "heads": heads,
            "max_seq_len": 512,
            "attn_dim_head": d_model // heads,
            "attn_flash": True,
            "attn_dropout": DROPOUT,
            "ff_dropout": DROPOUT,
            "attn_sublayer_dropout": DROPOUT,
            "ff_sublayer_dropout": DROPOUT,
            "emb_dropout": DROPOUT,
        }
        both = {
            f"{side}_{k}": v for side in ("enc", "dec") for k, v in sides.items()
        }
        self.model = XTransformer(dim=d_model, **both)

    def forward(self, source, target):
        mask = source != 0
        memory = self.model.encoder(source, mask=mask, return_embeddings=True)
        return self.model.decoder.net(
            target, mask=target != 0, context=memory, context_mask=mask
        )


class Bart(nn.Module):
    def __init__(self, d_model, heads, layers):
        super().__init__()
        config = {"d_model": d_model, "vocab_size": VOCAB, "pad_token_id": 0}
        for side in ("encoder", "decoder"):
            config |= {
                f"{side}_layers": layers,
                f"{side}_attention_heads": heads,
                f"{side}_ffn_dim": 4 * d_model,
            }
        shares = ("dropout", "attention_dropout", "activation_dropout")
        config |= dict.fromkeys(shares, DROPOUT)
        config = BartConfig(**config, max_position_embeddings=512, use_cache=False)
        self.model = BartForConditionalGeneration(config)

    def forward(self, source, target):
        return self.model(
            input_ids=source,
            attention_mask=source != 0,
            decoder_input_ids=target,
            decoder_attention_mask=target != 0,
        ).logits


SYSTEMS = {
    "tfbook": ours,
    "nn.Transformer, pre": lambda *size: TorchTransformer(*size, True),
    "nn.Transformer, post": lambda *size: TorchTransformer(*size, False),
    "x-transformers": XTransformers,
    "transformers, BART": Bart,
}


def batch(tokens, length, generator):
    """Source (B, length) and target (B, length + 1), every row of half to all."""
    found = []
    for extra in (0, 1):
        ids = torch.randint(
            3, VOCAB, (tokens // length, length + extra), generator=generator
        )
        ends = torch.randint(
            length // 2, length + 1, (len(ids), 1), generator=generator
        )
        found.append(ids * (torch.arange(length + extra) < ends + extra))
    return found


def step(model, optimizer, source, target, dtype):
    optimizer.zero_grad()
    narrow = dtype != torch.float32
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        logits = model(source, target[:, :-1])
    sequence_loss(logits.float(), target[:, 1:]).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def seconds(call, least=0.05):
    """Of one call, repeated for `least` seconds."""
    start, n = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < least:
        call()
        n += 1
    return passed / n


def product_rate(dtype):
    """Multiplications and additions a second in products of large matrices."""
    a, b = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
    return 2 * 1024**3 / seconds(lambda: a @ b)


def compare(size, length, dtype, seed=0):
    """Medians over rounds, in turn: {system: [tokens a second, share of the rate]}."""
    *shape, tokens = size
    torch.manual_seed(seed)
    models = {name: build(*shape).train() for name, build in SYSTEMS.items()}
    optimizers = {
        name: torch.optim.AdamW(m.parameters(), 1e-4, fused=True)
        for name, m in models.items()
    }
    draw = torch.Generator().manual_seed(seed)
    source, target = batch(tokens, length, draw)
    with FlopCounterMode(display=False) as counter:
        step(models["tfbook"], optimizers["tfbook"], source, target, dtype)
    work = counter.get_total_flops()
    times, rates = {name: [] for name in models}, []
    for _ in range(ROUNDS + 1):  # the first warms up
        rates.append(product_rate(dtype))
        for name, model in models.items():
            arguments = model, optimizers[name], source, target, dtype
            times[name].append(seconds(lambda a=arguments: step(*a)))
    rate = statistics.median(rates[1:])
    medians = {name: statistics.median(seen[1:]) for name, seen in times.items()}
    real = int((source != 0).sum() + (target[:, 1:] != 0).sum())
    return {
        name: [round(real / m), round(work / m / rate, 3)]
        for name, m in medians.items()
    }


def main():
    sizes, speeds = sys.argv[1:] or SIZES, {}
    for size in sizes:
        for name, dtype in DTYPES.items():
            for length in LENGTHS:
                found = compare(SIZES[size], length, dtype)
                speeds[f"{size}, {name}, {length}"] = found
                print(size, name, length, f"{ahead(found):.2f}", found, flush=True)
    past = RESULTS / "bench.json"
    history = (
        json.loads(past.read_text())["numbers"]["history"] if past.exists() else []
    )
    entry = {"date": datetime.date.today().isoformat(), "sizes": list(sizes)}
    for name in DTYPES:
        ratios = [ahead(v) for k, v in speeds.items() if name in k]
        mean = math.prod(ratios) ** (1 / len(ratios))
        entry[name] = [round(x, 2) for x in (min(ratios), mean, max(ratios))]
    numbers = {
        "tokens a second, share of the rate": speeds,
        "history": [
            *history,
            entry,
        ],  # ahead of the fastest other: least, mean, most
    }
    write("bench", numbers, "no seed: times, of weights never scored")


if __name__ == "__main__":
    main()
