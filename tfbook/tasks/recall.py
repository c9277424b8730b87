"""The smallest task that needs a memory: say the symbol that you read first."""

import torch

from tfbook.training.presets import Preset

PAD, N_SYMBOLS = 0, 8
ASK = N_SYMBOLS + 1
VOCAB = N_SYMBOLS + 2


# d_model, n_heads, n_layers, d_ff, dropout, tokens, steps, learning_rate, warmup
RECALL = {  # 64 sequences of distance 20 in a batch
    "cpu": Preset(32, 1, 1, 64, 0.0, 1408, 600, 0.003, 0),
    "gpu": Preset(32, 1, 1, 64, 0.0, 2816, 600, 0.003, 0),
}
FIRST_SYMBOL = {  # each place shall say what stands at the first: 4.1 and 3.6
    "cpu": Preset(32, 2, 1, 64, 0.0, 640, 250, 0.003, 0),
    "gpu": Preset(64, 2, 1, 128, 0.0, 2560, 250, 0.003, 0),
}
DEEP_FIRST_SYMBOL = {  # the same through twelve layers: 3.5
    "cpu": Preset(32, 2, 12, 128, 0.0, 256, 150, 0.002, 50),
    "gpu": Preset(32, 2, 12, 128, 0.0, 1024, 150, 0.002, 50),
}
TWO_LOOKUPS = {  # two cards to find at once: 2.3
    "cpu": Preset(16, 2, 1, 32, 0.0, 576, 300, 0.005, 0),
    "gpu": Preset(16, 2, 1, 32, 0.0, 2304, 300, 0.005, 0),
}


def recall(n, distance, seed):
    """n sequences and what to answer when they end, drawn from a seed.

    Each is a symbol to remember, `distance` more symbols of the same eight, drawn
    alike, that are noise, and ASK. So nothing but its place tells the first symbol
    from the others, and a guess is right once in eight times. Returns the ids, (n,
    distance + 2), and the truth, (n,), the first column. PAD is never drawn. Raises
    ValueError when n is not positive or distance is negative.
    """
    if n < 1:
        raise ValueError(f"n must be positive, got {n}")
    if distance < 0:
        raise ValueError(f"distance must not be negative, got {distance}")
    draw = torch.Generator().manual_seed(seed)
    symbols = torch.randint(1, ASK, (n, distance + 1), generator=draw)
    ask = torch.full((n, 1), ASK)
    return torch.cat((symbols, ask), dim=1), symbols[:, 0]
