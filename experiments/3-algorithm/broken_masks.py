"""Which broken mask scores as well as the right one, and when does it show? A copy task.

Six bugs and the right masks, three seeds, and two ways to make batches: every source padded
to the longest there is, and sources of like length together. Each model is scored as it was
trained, alone, and with more pads than in training; and an untrained model of each bug is asked
whether padding changes its answer. Pads are computed in training, too, as a bug needs them.
"""

from contextlib import contextmanager, nullcontext
from functools import cache, partial

import torch
from run import Experiment

from tfbook import Encoder, Transformer, TransformerConfig, pitfalls
from tfbook.data.batching import pad_pairs
from tfbook.data.vocabulary import PAD, STOP
from tfbook.metrics import exact_share, next_symbol_share
from tfbook.pitfalls.patching import patched
from tfbook.tasks.copying import COPYING, VOCAB, copies
from tfbook.training.loop import train
from tfbook.training.presets import preset

LONGEST, MORE = 8, 16  # of the data; of a batch with more pads than in training
ENCODE = Encoder.forward


def encoder_mask_dropped():
    """The encoder never learns which of its positions are pads."""

    def without_mask(self, x, mask=None):
        return ENCODE(self, x)

    return patched(Encoder, "forward", without_mask)


@contextmanager
def source_mask_dropped():
    """Neither the encoder nor the decoder learns which positions of the source are pads."""
    with encoder_mask_dropped(), pitfalls.cross_attention_mask_dropped():
        yield


BUGS = {
    "right": nullcontext,
    "on rows": pitfalls.padding_mask_on_rows,
    "not in the encoder": encoder_mask_dropped,
    "not in cross-attention": pitfalls.cross_attention_mask_dropped,
    "nowhere": source_mask_dropped,
    "first layer only": pitfalls.mask_lost_after_first_layer,
    "inverted": pitfalls.mask_inverted,
}


def padded(pairs, length):
    """The same pairs, with every source filled up to a length."""
    return [(ids + [PAD] * (length - len(ids)), same) for ids, same in pairs]


def stop_share(model, pairs):
    """The share of stops that the model predicts, given all symbols before."""
    source, target = pad_pairs(pairs)
    with torch.no_grad():
        said = model(source, target[:, :-1]).argmax(-1)  # (B, T)
    stops = target[:, 1:] == STOP  # (B, T)
    return (said == STOP)[stops].double().mean().item()


def scores(model, groups):
    """Next symbol, stop and whole copy, each a mean over groups of pairs."""
    symbols = [sum(len(same) + 1 for _, same in group) for group in groups]
    rows = [len(group) for group in groups]
    return {
        name: round(
            sum(score(model, g) * n for g, n in zip(groups, counts, strict=True))
            / sum(counts),
            4,
        )
        for name, score, counts in (
            ("told", next_symbol_share, symbols),
            ("stops", stop_share, rows),
            ("copied", exact_share, rows),
        )
    }


def model_of(seed):
    torch.manual_seed(seed)
    size = preset(COPYING).architecture() | {"n_layers": 2}
    return Transformer(TransformerConfig(VOCAB, VOCAB, **size, max_length=MORE))


def change_by_padding(seed, pairs):
    """The largest change of an untrained model's logits when sources are padded."""
    model, worst = model_of(seed).double().eval(), 0.0
    with torch.no_grad():
        for pair in pairs:
            alone, more = (
                model(*pad_pairs(p)) for p in ([pair], padded([pair], MORE))
            )
            worst = max(worst, (alone - more).abs().max().item())
    return float(f"{worst:.1e}")


@cache
def data():
    """Pairs to learn from, and pairs that are not among them."""
    pairs = copies(4000, seed=1)
    learned = {tuple(ids) for ids, _ in pairs}
    unseen = [pair for pair in copies(500, seed=2) if tuple(pair[0]) not in learned]
    return pairs, unseen


def trained_and_scored(pad, bug, seeds):
    """{condition: {score: one a seed}} of models trained with a bug. pad: whether every
    source is padded to the longest in training.
    """
    pairs, unseen = data()
    lengths = sorted({len(ids) for ids, _ in unseen})
    conditions = {
        "alone": [[p for p in unseen if len(p[0]) == n] for n in lengths],
        "padded to 8": [padded(unseen, LONGEST)],
        "padded to 16": [padded(unseen, MORE)],
    }
    numbers = {}
    with bug():
        for seed in seeds:
            model = model_of(seed)
            examples = padded(pairs, LONGEST) if pad else pairs
            train(model, examples, preset(COPYING), seed)
            for condition, groups in conditions.items():
                kept = numbers.setdefault(condition, {})
                for name, share in scores(model, groups).items():
                    kept.setdefault(name, []).append(share)
    return numbers


def changes_by_padding(bug, seeds):
    with bug():
        return [change_by_padding(seed, data()[1][:20]) for seed in seeds]


experiment = Experiment(
    __file__,
    {
        "padded": {
            n: partial(trained_and_scored, True, b) for n, b in BUGS.items()
        },
        "like lengths": {
            name: partial(trained_and_scored, False, bug)
            for name, bug in BUGS.items()
        },
        "change by padding": {
            name: partial(changes_by_padding, bug) for name, bug in BUGS.items()
        },
    },
    seeds=(0, 1, 2),
    minutes=4,
    processes=2,
)
