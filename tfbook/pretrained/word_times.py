"""When each word was said: Whisper's cross-attention, read as a clock."""

import torch

from tfbook.inspect.attention_maps import attention_layers, watching
from tfbook.pretrained.whisper import PROMPT, STOP

SECONDS = 0.02  # of sound in one place of the memory


def cheapest_path(cost):
    r"""The way through a table from its first cell to its last that costs least.

    $D_{t,s} = c_{t,s} + \min(D_{t-1,s-1}, D_{t-1,s}, D_{t,s-1})$: dynamic time warping
    (Sakoe & Chiba 1978). cost: (T, S). Each step goes down, right or both; of equals the
    first in that formula is taken. Returns the cells, [(t, s)], T + S - 1 at most.
    Raises ValueError unless cost has two axes, neither of them 0.
    """
    if cost.dim() != 2 or cost.numel() == 0:
        raise ValueError(f"cost must be (T, S), got shape {tuple(cost.shape)}")
    total, before = {(-1, -1): 0.0}, {}
    for t, row in enumerate(cost.tolist()):
        for s, price in enumerate(row):
            ways = [
                way
                for way in ((t - 1, s - 1), (t - 1, s), (t, s - 1))
                if way in total
            ]
            before[t, s] = min(ways, key=total.__getitem__)
            total[t, s] = price + total[before[t, s]]
    path = [(cost.size(0) - 1, cost.size(1) - 1)]
    while path[-1] != (0, 0):
        path.append(before[path[-1]])
    return path[::-1]


def heard(model, memory, ids, heads=None):
    """Where each of the ids was heard: a map (T, S), its rows ids and stop.

    model: a `Whisper`; memory: (1, S, d_model); ids: a list, without prompt and stop.
    heads: pairs (layer, head), by default the model's alignment_heads, over whose
    weights the mean is taken (Radford et al. 2023, section 2.4, leave that to a model of
    their own; the heads are from their code).
    """
    heads = model.alignment_heads if heads is None else heads
    with watching(attention_layers(model, "cross")) as maps, torch.no_grad():
        model.decode(torch.tensor([[*PROMPT, *ids]]), memory)
    mean = torch.stack([maps[layer][0, head] for layer, head in heads]).mean(dim=0)
    # the row that reads the prompt's last id predicts the first of the ids
    return mean[len(PROMPT) - 1 :]  # (T, S)


def word_times(model, memory, ids, seconds, heads=None):
    """The words of a transcript and when each begins: [(word, seconds)].

    ids: as `greedy_decode` returns them, (T,), the stops at their end left out here.
    seconds: how long the sound is, of the 30 that the memory (1, S, d_model) holds. A
    word is whatever begins with a space. heads: as in `heard`.
    """
    ids = [i for i in ids.tolist() if i != STOP]
    n_places = max(1, round(seconds / SECONDS))
    found = heard(model, memory, ids, heads)[:, :n_places]  # (T, S)
    first = {}
    for t, s in cheapest_path(-found):
        first.setdefault(t, s * SECONDS)
    words = []
    for t, i in enumerate(ids):
        piece = model.tokenizer.decode([i])
        if piece.startswith(" ") or not words:
            words.append((piece.strip(), first[t]))
        else:
            words[-1] = (words[-1][0] + piece, words[-1][1])
    return words
