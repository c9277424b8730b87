"""What a text costs a language model: nats for each id, bits for each byte."""

from math import log

import torch
import torch.nn.functional as F

from tfbook.decoding.prepare import decoding
from tfbook.model.checks import check_count


@decoding
def surprises(model, ids):
    r"""The surprisal of each id of a text under a GPT, in nats: $-\log p(y_t \mid
    y_{<t})$ for all but the first, (N - 1,).

    ids: (N,). The model sees at most its max_length ids at once: the text is read in
    windows of that length, each half a window further on, and an id is scored in the
    window that shows more of what precedes it: half a window at least, or all there is
    near the text's beginning. Raises ValueError for fewer than two ids, or a model whose
    max_length is 1.
    """
    length = model.config.max_length
    check_count("model.config.max_length", length, least=2)
    if ids.dim() != 1 or len(ids) < 2:
        raise ValueError(
            f"ids must be (N,) with N > 1, got shape {tuple(ids.shape)}"
        )
    half, nats = length // 2, []
    for first in range(0, len(ids) - 1, half):
        window = ids[max(0, first + half - length) : first + half + 1]
        logits = model(window[None, :-1])  # (1, T, V)
        costs = F.cross_entropy(logits[0].float(), window[1:], reduction="none")
        nats.append(costs[len(costs) - min(half, len(ids) - 1 - first) :])
    return torch.cat(nats)  # (N - 1,)


def bits_per_byte(nats, n_bytes):
    r"""What a text costs, in bits for each of its bytes: $\sum_t -\log p(y_t \mid
    y_{<t}) / (n \ln 2)$.

    nats: the surprises, a tensor or a list. n_bytes: the length of the same text, which
    does not depend on how it was cut into ids, so that vocabularies can be compared.
    Raises ValueError for a text without bytes.
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes must be at least 1, got {n_bytes}")
    return float(sum(nats)) / (n_bytes * log(2))
