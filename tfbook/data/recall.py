"""The smallest task that needs a memory: say the symbol that you read first."""

import torch

PAD, N_SYMBOLS = 0, 8
ASK = N_SYMBOLS + 1
VOCAB = N_SYMBOLS + 2


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
