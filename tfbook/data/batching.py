"""Sequences of different lengths, made into rectangles of ids."""

import torch

from tfbook.data.vocabulary import PAD, START, STOP


def pad_batch(sequences):
    """Lists of ids to one tensor (B, longest), the shorter ones filled up with pad."""
    if not sequences or not all(sequences):
        raise ValueError(
            f"sequences must be a list of non-empty lists, got {sequences!r:.80}"
        )
    longest = max(map(len, sequences))
    rows = [[*ids, *[PAD] * (longest - len(ids))] for ids in sequences]
    return torch.tensor(rows)  # (B, longest)


def check_pad(pad):
    """Raise ValueError unless pad is the id that batches are filled up with."""
    if pad != PAD:
        raise ValueError(f"config.pad must be {PAD}, as in every batch, got {pad}")


def pad_pairs(pairs):
    """Pairs (source ids, target ids) to source (B, S) and target (B, T + 2), the
    latter between start and stop.
    """
    source = pad_batch([source for source, _ in pairs])  # (B, S)
    # (B, T + 2)
    target = pad_batch([[START, *target, STOP] for _, target in pairs])
    return source, target


def bucket(pairs, tokens, generator):
    """Lists of indices of pairs, one a batch: every pair once, similar lengths
    together, in random order.

    tokens: the most that one batch may hold, pads included, source and target
    together. generator: the `torch.Generator` that shuffles. Raises ValueError when
    there is no pair, or a single one is too long.
    """
    if not pairs:
        raise ValueError(f"pairs must hold at least one pair, got {pairs!r}")
    sizes = [(len(source), len(target) + 2) for source, target in pairs]
    longest = max(sum(size) for size in sizes)
    if longest > tokens:
        raise ValueError(
            f"tokens must hold the longest pair, {longest} ids, got {tokens}"
        )
    order = torch.randperm(len(pairs), generator=generator).tolist()
    # stable: among equal sizes the shuffle decides
    order.sort(key=sizes.__getitem__)
    batches, batch, widest = [], [], (0, 0)
    for index in order:
        wider = tuple(map(max, widest, sizes[index]))
        if (len(batch) + 1) * sum(wider) > tokens:
            batches.append(batch)
            batch, wider = [], sizes[index]
        batch.append(index)
        widest = wider
    batches.append(batch)
    return [
        batches[i]
        for i in torch.randperm(len(batches), generator=generator).tolist()
    ]
