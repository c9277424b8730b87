"""How good is the pronouncer of lesson 4.2, and how much is luck? Three seeds,
validation words.

The first seed is the lesson's own. About five minutes on two cores.
"""

import torch
from provenance import write

from tfbook import Transformer
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset

SEEDS = (0, 1, 2)
BEAMS = (("greedy", 1), ("beam 4", 4))


def main():
    words, recipe = load_pronunciation(), preset(PRESETS["pronunciation"])
    validation = words["validation"]
    baseline = MostFrequentSound(words["train"])
    per, wer = error_rates(
        [baseline.pronounce(w) for w in validation], list(validation.values())
    )
    numbers = {
        "most frequent sound": {"PER": [round(per, 4)], "WER": [round(wer, 4)]}
    }
    numbers |= {name: {"PER": [], "WER": []} for name, _ in BEAMS}
    for seed in SEEDS:
        torch.manual_seed(seed)
        model = Transformer(pronouncer_config(recipe))
        train(model, encode_pairs(words["train"]), recipe, seed)
        for name, beam in BEAMS:
            per, wer = Pronouncer(model).score(validation, beam)
            numbers[name]["PER"].append(round(per, 4))
            numbers[name]["WER"].append(round(wer, 4))
            print(f"seed {seed}, {name}: PER {per:.2%}, WER {wer:.2%}")
    write("first_pronouncer", numbers, SEEDS)


if __name__ == "__main__":
    main()
