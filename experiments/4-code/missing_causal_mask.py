"""What does a decoder without its causal mask look like from outside? Lesson 4.2's copy task.

Three seeds, with and without the mask.
"""

from contextlib import nullcontext
from functools import partial

import torch
from run import Experiment

from tfbook import Transformer, TransformerConfig, pitfalls
from tfbook.metrics import exact_share, next_symbol_share
from tfbook.tasks.copying import COPYING, VOCAB, copies
from tfbook.training.loop import train
from tfbook.training.presets import preset


def shares(bug, seeds):
    """Of next symbols with the sequence before them given, and of whole copies alone."""
    pairs = copies(4000, seed=1)
    learned = {tuple(ids) for ids, _ in pairs}
    unseen = [pair for pair in copies(500, seed=2) if tuple(pair[0]) not in learned]
    size, found = preset(COPYING).architecture(), {"next symbol": [], "alone": []}
    for seed in seeds:
        torch.manual_seed(seed)
        with bug():
            model = Transformer(
                TransformerConfig(VOCAB, VOCAB, **size, max_length=16)
            )
            train(model, pairs, preset(COPYING), seed)
            found["next symbol"].append(round(next_symbol_share(model, unseen), 4))
            found["alone"].append(round(exact_share(model, unseen), 4))
    return found


experiment = Experiment(
    __file__,
    {
        "with": partial(shares, nullcontext),
        "without": partial(shares, pitfalls.causal_mask_missing),
    },
    seeds=(0, 1, 2),
    minutes=2,
    processes=2,
)
