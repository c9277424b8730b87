"""How often a sequence-to-sequence model is right: with the true prefix, and alone."""

import torch.nn.functional as F

from tfbook.data.batching import check_pad, pad_pairs
from tfbook.data.vocabulary import PAD, START, STOP
from tfbook.decoding import greedy_decode
from tfbook.decoding.prepare import decoding


@decoding
def next_symbol_share(model, pairs):
    """The share of symbols, stop included, that a model predicts correctly from the true
    symbols before them (teacher forcing).

    pairs: (source ids, target ids). A number from 0 to 1.
    """
    source, target = _batch(model, pairs)  # (B, S), (B, T + 1)
    logits = model(source, target[:, :-1])  # (B, T, V)
    labels = target[:, 1:]  # (B, T)
    return (logits.argmax(-1) == labels)[labels != PAD].double().mean().item()


def exact_share(model, pairs):
    """The share of pairs whose whole target a model writes by greedy decoding.

    pairs: (source ids, target ids). A number from 0 to 1.
    """
    source, target = _batch(model, pairs)  # (B, S), (B, T + 1)
    labels = target[:, 1:].masked_fill(target[:, 1:] == STOP, PAD)  # (B, T)
    # (B, at most T)
    output = greedy_decode(model, source, START, STOP, labels.size(1))
    output = F.pad(
        output, (0, labels.size(1) - output.size(1)), value=PAD
    )  # (B, T)
    return (output == labels).all(dim=1).double().mean().item()


def _batch(model, pairs):
    """The pairs as padded tensors, on the model's device."""
    check_pad(model.config.pad)
    device = next(model.parameters()).device
    return tuple(ids.to(device) for ids in pad_pairs(pairs))
