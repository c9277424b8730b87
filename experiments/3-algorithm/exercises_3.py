"""What comes out of the exercise of lesson 3.3 whose truth depends on a training.

Its check reads these seeds; the model and the data are the lesson's.
"""

import torch
from run import Experiment

from tfbook import Transformer, TransformerConfig, pitfalls
from tfbook.metrics import exact_share
from tfbook.tasks.copying import COPYING, VOCAB, copies
from tfbook.training.loop import train
from tfbook.training.presets import preset


def padded(pairs, length):
    return [(ids + [0] * (length - len(ids)), same) for ids, same in pairs]


def pads_needed(seeds):
    """The share of five symbols copied with 0, 1, 2 and 3 pads, a row a seed, by a model
    whose cross-attention had no mask.
    """
    learned, found = copies(4000, seed=1), []
    known = {tuple(ids) for ids, _ in learned}
    unseen = [pair for pair in copies(500, seed=2) if tuple(pair[0]) not in known]
    five = [pair for pair in unseen if len(pair[0]) == 5]
    size = preset(COPYING).architecture() | {"n_layers": 2}
    for seed in seeds:
        torch.manual_seed(seed)
        model = Transformer(TransformerConfig(VOCAB, VOCAB, **size, max_length=16))
        with pitfalls.cross_attention_mask_dropped():
            train(model, padded(learned, 8), preset(COPYING), seed)
            shares = [exact_share(model, padded(five, 5 + n)) for n in range(4)]
        found.append([round(share, 4) for share in shares])
    return found


experiment = Experiment(
    __file__,
    {"check_pads_needed": pads_needed},
    seeds=(0, 1, 2),
    minutes=2,
)
