"""The smallest sequence-to-sequence task: write what was read."""

import torch

from tfbook.data.vocabulary import N_SPECIAL
from tfbook.model.checks import check_count
from tfbook.training.presets import Preset

N_SYMBOLS = 10
VOCAB = N_SPECIAL + N_SYMBOLS


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
COPYING = {
    "cpu": Preset(64, 2, 1, 128, 0.0, 800, 400, 0.003, 30),
    "gpu": Preset(64, 2, 2, 128, 0.0, 4000, 500, 0.002, 50),
}
THREE_BACK = {  # predict the symbol three positions back: 3.4
    "cpu": Preset(64, 2, 2, 128, 0.0, 640, 300, 0.002, 50),
    "gpu": Preset(64, 2, 2, 128, 0.0, 2560, 800, 0.002, 50),
}


def copies(n, seed):
    """n pairs (ids, the same ids) of 3 to 8 random symbols out of ten, drawn from a
    seed. Raises TypeError or ValueError unless n is a count.
    """
    check_count("n", n)
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 9, (n,), generator=generator).tolist()
    rows = [
        torch.randint(N_SPECIAL, VOCAB, (length,), generator=generator).tolist()
        for length in lengths
    ]
    return [(ids, ids) for ids in rows]
