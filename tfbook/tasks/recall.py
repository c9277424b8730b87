"""The smallest task that needs a memory: repeat the symbol that was read first."""

import torch

from tfbook.model.checks import check_count
from tfbook.training.presets import Preset

PAD, N_SYMBOLS = 0, 8
ASK = N_SYMBOLS + 1
VOCAB = N_SYMBOLS + 2


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
RECALL = {  # 64 sequences of distance 20 in a batch
    "cpu": Preset(32, 1, 1, 64, 0.0, 1408, 600, 0.003, 0),
    "gpu": Preset(32, 1, 1, 64, 0.0, 2816, 600, 0.003, 0),
}
FIRST_SYMBOL = {  # predict the first symbol at each position: 4.1 and 3.6
    "cpu": Preset(32, 2, 1, 64, 0.0, 640, 250, 0.003, 0),
    "gpu": Preset(64, 2, 1, 128, 0.0, 2560, 250, 0.003, 0),
}
DEEP_FIRST_SYMBOL = {  # the same with twelve layers: 3.5
    "cpu": Preset(32, 2, 12, 128, 0.0, 256, 150, 0.002, 50),
    "gpu": Preset(32, 2, 12, 128, 0.0, 1024, 150, 0.002, 50),
}
TWO_LOOKUPS = {  # two cards to find at once: 2.3
    "cpu": Preset(16, 2, 1, 32, 0.0, 576, 300, 0.005, 0),
    "gpu": Preset(16, 2, 1, 32, 0.0, 2304, 300, 0.005, 0),
}


def recall(n, distance, seed):
    """n sequences and the label of each, drawn from a seed.

    A sequence is the symbol to remember, `distance` more symbols drawn alike from the
    same eight, which are noise, and ASK. Only its position distinguishes the first
    symbol from the others, and a guess is right once in eight times. Returns the ids,
    (n, distance + 2), and the labels, (n,), which are the first column. PAD is never
    drawn. Raises TypeError or ValueError unless n and distance are counts.
    """
    check_count("n", n)
    check_count("distance", distance, least=0)
    generator = torch.Generator().manual_seed(seed)
    symbols = torch.randint(1, ASK, (n, distance + 1), generator=generator)
    ask = torch.full((n, 1), ASK)
    return torch.cat((symbols, ask), dim=1), symbols[:, 0]
