"""How fast is a training step, beside the Transformers that others use?

The same work for all, in one process and in turn: forward, backward, clipping and AdamW on
padded batches, relu, dropout 0.1 wherever the paper has it and on the attention weights and
behind the activation, then at one length without any dropout. In bf16 all of them multiply
in 16 bits, attention included. What differs: the places of the norms, positions (sinusoids
here, tables elsewhere), that x-transformers has an output matrix of its own and BART one
embedding for both sides, and that our fast twin (`tfbook.fast`), which is what `train` uses,
leaves the pads out, which the others compute. A quarter of the ids are pads; at one length
also a twelfth, as in batches of like lengths. "tfbook, plain" is the model without its twin.

Medians over nine rounds, as real tokens a second and as the share that each system's own
products reach of the rate at which this machine multiplies large matrices of the same type.
Each round begins with another system, and each system with a step that is not timed.
"ahead" is our speed over that of the fastest other, round by round: the median, and the
middle half; "plain ahead" that of the plain model over the faster `nn.Transformer`. Times
are of one machine in one mood: only what is side by side compares; the ratios are kept by
date. Needs the extra "bench" and a quiet machine.
"""

import datetime
import math
import statistics
from functools import partial
from importlib.metadata import version

import torch
from run import Experiment, numbers
from torch import nn
from transformers import BartConfig, BartForConditionalGeneration
from x_transformers import XTransformer

from tfbook import Transformer, TransformerConfig, causal_mask
from tfbook.fast import accelerate
from tfbook.inspect.costs import count_operations
from tfbook.training.loop import sequence_loss

from .timing import middle_half, seconds

SIZES = {  # d_model, heads, layers on each side, tokens on each side
    "small": (128, 4, 2, 2048),
    "middle": (256, 4, 4, 2048),
    "large": (512, 8, 2, 2048),
}
LENGTHS, ROUNDS, VOCAB, DROPOUT = (8, 32, 128, 512), 9, 1000, 0.1
NO_DROPOUT = 32  # the length at which dropout is left out, too
FEW_PADS = "middle", 32  # the size and the length at which few are pads, too
# the shortest row beside the longest, with many pads and with few
SHORTEST = {False: 0.5, True: 0.84}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
# An entry of the history without rules is older: the others with gelu, their attention in
# 32 bits under autocast, always the same order.
RULES = 2

# PyTorch's attention, which the others call, would otherwise turn 16 bits into 32
torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)


def ours(d_model, heads, layers, dropout):
    sizes = VOCAB, VOCAB, d_model, heads, layers, 4 * d_model
    return Transformer(TransformerConfig(*sizes, dropout=dropout, max_length=512))


class TorchTransformer(nn.Module):
    """`nn.Transformer` between embeddings with learned positions and a tied output."""

    def __init__(self, d_model, heads, layers, dropout, norm_first):
        super().__init__()
        self.source, self.target = (nn.Embedding(VOCAB, d_model) for _ in range(2))
        self.place = nn.Embedding(512, d_model)
        for table in (self.source, self.target, self.place):
            nn.init.normal_(table.weight, std=d_model**-0.5)
        self.dropout = nn.Dropout(dropout)
        sizes = d_model, heads, layers, layers, 4 * d_model, dropout
        self.layers = nn.Transformer(
            *sizes, batch_first=True, norm_first=norm_first
        )
        self.output = nn.Linear(d_model, VOCAB, bias=False)
        self.output.weight = self.target.weight

    def forward(self, source, target):
        places = [self.place(torch.arange(x.size(1))) for x in (source, target)]
        x = self.layers(
            self.dropout(self.source(source) + places[0]),
            self.dropout(self.target(target) + places[1]),
            tgt_mask=~causal_mask(target.size(1))[0, 0],
            src_key_padding_mask=source == 0,
            memory_key_padding_mask=source == 0,
            tgt_key_padding_mask=target == 0,
        )  # (B, T, d_model)
        return self.output(x)  # (B, T, V)


class XTransformers(nn.Module):
    def __init__(self, d_model, heads, layers, dropout):
        super().__init__()
        sides = {
            "num_tokens": VOCAB,
            "depth": layers,
            "heads": heads,
            "max_seq_len": 512,
            "attn_dim_head": d_model // heads,
            "attn_flash": True,
            "attn_dropout": dropout,
            "ff_dropout": dropout,
            "attn_sublayer_dropout": dropout,
            "ff_sublayer_dropout": dropout,
            "emb_dropout": dropout,
            "ff_custom_activation": nn.ReLU(),
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
    def __init__(self, d_model, heads, layers, dropout):
        super().__init__()
        config = {"d_model": d_model, "vocab_size": VOCAB, "pad_token_id": 0}
        for side in ("encoder", "decoder"):
            config |= {
                f"{side}_layers": layers,
                f"{side}_attention_heads": heads,
                f"{side}_ffn_dim": 4 * d_model,
            }
        shares = ("dropout", "attention_dropout", "activation_dropout")
        config |= dict.fromkeys(shares, dropout) | {"activation_function": "relu"}
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
    "tfbook": lambda *given: accelerate(ours(*given)),
    "tfbook, plain": ours,
    "nn.Transformer, pre": lambda *given: TorchTransformer(*given, True),
    "nn.Transformer, post": lambda *given: TorchTransformer(*given, False),
    "x-transformers": XTransformers,
    "transformers, BART": Bart,
}


def batch(tokens, length, generator, shortest=0.5):
    """Source (B, length) and target (B, length + 1), every row of half to all, or of
    another share.
    """
    found = []
    for extra in (0, 1):
        ids = torch.randint(
            3, VOCAB, (tokens // length, length + extra), generator=generator
        )
        ends = torch.randint(
            int(length * shortest), length + 1, (len(ids), 1), generator=generator
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


def product_rate(dtype):
    """Multiplications and additions a second in products of large matrices."""
    a, b = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
    return 2 * 1024**3 / seconds(lambda: a @ b)


def compare(size, length, dtype, dropout, few_pads=False):
    """Medians over rounds, in turn: of each system tokens a second and the share of the
    rate, and how far we are ahead, and our plain model: [median, first quartile, third].
    """
    *shape, tokens = size
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    source, target = batch(tokens, length, generator, SHORTEST[few_pads])
    steps = {}
    for name, build in SYSTEMS.items():
        model = build(*shape, dropout).train()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
        arguments = model, optimizer, source, target, dtype
        steps[name] = partial(step, *arguments)
    work = {name: count_operations(once) for name, once in steps.items()}
    times, rates, order = {name: [] for name in steps}, [], list(steps)
    for _ in range(ROUNDS):
        rates.append(product_rate(dtype))
        order = [*order[1:], order[0]]
        for name in order:
            steps[name]()  # the caches are another's
            times[name].append(seconds(steps[name]))
    rate = statistics.median(rates)
    medians = {name: statistics.median(seen) for name, seen in times.items()}
    real = int((source != 0).sum() + (target[:, 1:] != 0).sum())
    speeds = {
        name: [round(real / m), round(work[name] / m / rate, 3)]
        for name, m in medians.items()
    }
    mine, plain, *others = times.values()
    ahead = [min(t) / m for m, *t in zip(mine, *others, strict=True)]
    theirs = zip(plain, *others[:2], strict=True)  # both of nn.Transformer
    plain_ahead = [min(t) / m for m, *t in theirs]
    return {
        "tokens a second, share of the rate": speeds,
        "ahead": middle_half(ahead),
        "plain ahead": middle_half(plain_ahead),
    }


def points():
    """What is measured: {name: (size, length, type, dropout, few pads)}."""
    found = {}
    for size in SIZES:
        for name, dtype in DTYPES.items():
            for length in LENGTHS:
                given = SIZES[size], length, dtype
                found[f"{size}, {name}, {length}"] = *given, DROPOUT
                if length == NO_DROPOUT:
                    found[f"{size}, {name}, {length}, no dropout"] = *given, 0.0
                if (size, length) == FEW_PADS:
                    found[f"{size}, {name}, {length}, few pads"] = (
                        *given,
                        DROPOUT,
                        True,
                    )
    return found


def history(_measured):
    """The record of earlier measurements, and with it how far we are ahead at the worst
    point, in the mean and at the best. _measured: what a new entry depends on.
    """
    found = numbers("bench")
    entry = {"date": datetime.date.today().isoformat(), "rules": RULES}
    for name in DTYPES:
        ratios = [
            median
            for point, (median, *_) in found["ahead"].items()
            if name in point and point.count(",") == 2
        ]
        mean = math.prod(ratios) ** (1 / len(ratios))
        entry[name] = [round(x, 2) for x in (min(ratios), mean, max(ratios))]
    return [*found.get("history", []), entry]


experiment = Experiment(
    __file__,
    {
        **{point: partial(compare, *given) for point, given in points().items()},
        "history": partial(history, compare),
        "others": {
            name: version(name) for name in ("x-transformers", "transformers")
        },
    },
    seeds="no seed: times, of weights never scored",
    minutes=30,
    threads=0,
    fields_first=True,
)
