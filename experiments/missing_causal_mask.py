"""What does a decoder without its causal mask look like from outside? Lesson 4.2's copy task.

Three seeds, with and without the mask; about a minute on two cores.
"""

from contextlib import nullcontext

import torch
from provenance import write

from tfbook import Transformer, TransformerConfig, pitfalls
from tfbook.metrics import exact_share, next_symbol_share
from tfbook.tasks.copying import COPYING, VOCAB, copies
from tfbook.training.loop import train
from tfbook.training.presets import preset

SEEDS = (0, 1, 2)


def main():
    learned = {tuple(ids) for ids, _ in copies(4000, seed=1)}
    unseen = [pair for pair in copies(500, seed=2) if tuple(pair[0]) not in learned]
    numbers = {}
    size = preset(COPYING).architecture()
    for name, bug in (
        ("with", nullcontext),
        ("without", pitfalls.causal_mask_missing),
    ):
        numbers[name] = {"next symbol": [], "alone": []}
        for seed in SEEDS:
            torch.manual_seed(seed)
            with bug():
                model = Transformer(
                    TransformerConfig(VOCAB, VOCAB, **size, max_length=16)
                )
                train(model, copies(4000, seed=1), preset(COPYING), seed)
                numbers[name]["next symbol"].append(
                    round(next_symbol_share(model, unseen), 4)
                )
                numbers[name]["alone"].append(round(exact_share(model, unseen), 4))
        print(name, "the mask:", numbers[name])
    write("missing_causal_mask", numbers, SEEDS)


if __name__ == "__main__":
    main()
