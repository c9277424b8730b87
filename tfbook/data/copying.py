"""The smallest sequence-to-sequence task: say what you read."""

import torch

from tfbook.data.vocabulary import N_SPECIAL

N_SYMBOLS = 10
VOCAB = N_SPECIAL + N_SYMBOLS


def copies(n, seed):
    """n pairs (ids, the same ids) of 3 to 8 random symbols out of ten, drawn from a
    seed.
    """
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 9, (n,), generator=draw).tolist()
    return [
        (ids, ids)
        for length in lengths
        for ids in [
            torch.randint(N_SPECIAL, VOCAB, (length,), generator=draw).tolist()
        ]
    ]
