"""When each word was said: Whisper's cross-attention, read as a clock."""

import torch

from tfbook.inspect.attention_maps import attention_layers, watching
from tfbook.model.checks import check_number, check_tensor
from tfbook.pretrained.whisper import PROMPT, STOP

SECONDS = 0.02  # of sound in one position of the memory


def cheapest_path(cost):
    r"""The path through a table from its first cell to its last that costs least.

    $D_{t,s} = c_{t,s} + \min(D_{t-1,s-1}, D_{t-1,s}, D_{t,s-1})$: dynamic time warping
    (Sakoe & Chiba 1978). cost: (T, S). Each step goes down, right or both; of equals the
    first in that formula is taken. Returns the cells, [(t, s)], T + S - 1 at most.
    Raises TypeError or ValueError unless cost is a tensor of two axes, neither of them
    0, and finite.
    """
    check_tensor("cost", cost)
    if cost.dim() != 2 or cost.numel() == 0:
        raise ValueError(f"cost must be (T, S), got shape {tuple(cost.shape)}")
    if not cost.isfinite().all():
        raise ValueError(f"cost must be finite, got {cost[~cost.isfinite()][0]}")
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


def alignment_map(model, memory, ids, heads=None):
    """How much each id attends to each position of the sound: a map (T, S), whose rows
    are the ids and the stop.

    model: a `Whisper`; memory: (1, S, d_model); ids: a list, without prompt and stop.
    heads: pairs (layer, head), by default the model's alignment_heads, over whose
    weights the mean is taken (Radford et al. 2023, section 2.4, leave that to a model of
    their own; the heads are from their code).
    """
    heads = model.alignment_heads if heads is None else heads
    with watching(attention_layers(model, "cross")) as maps, torch.no_grad():
        model.decode(torch.tensor([[*PROMPT, *ids]], device=memory.device), memory)
    mean = torch.stack([maps[layer][0, head] for layer, head in heads]).mean(dim=0)
    # the row that reads the prompt's last id predicts the first of the ids
    return mean[len(PROMPT) - 1 :]  # (T, S)


def word_times(model, memory, ids, seconds, heads=None):
    """The words of a transcript and when each begins: [(word, seconds)].

    ids: as `greedy_decode` returns them, (T,), the stops at their end left out here.
    seconds: how long the sound is, of the 30 that the memory (1, S, d_model) holds.
    heads: as in `alignment_map`.

    A word is the ids from one that begins with a space up to the next such id, decoded
    together: a character outside of ASCII may be spread over several ids, which mean
    nothing by themselves. Raises TypeError or ValueError unless ids are (T,) and seconds
    is positive and no more than the memory holds.
    """
    if model.tokenizer is None:
        raise ValueError("model must have a tokenizer to spell words, got None")
    check_tensor("ids", ids)
    if ids.dim() != 1:
        raise ValueError(f"ids must be (T,), got shape {tuple(ids.shape)}")
    check_number("seconds", seconds)
    if not 0 < seconds <= memory.size(1) * SECONDS:
        raise ValueError(
            f"seconds must be positive, at most {memory.size(1) * SECONDS:g}, "
            f"got {seconds}"
        )
    ids = [i for i in ids.tolist() if i != STOP]
    n_positions = max(1, round(seconds / SECONDS))
    weights = alignment_map(model, memory, ids, heads)[:, :n_positions]  # (T, S)
    starts = {}
    for t, s in cheapest_path(-weights):
        starts.setdefault(t, s * SECONDS)
    words, decode = [], model.tokenizer.decode
    for t, i in enumerate(ids):
        if not words or decode([i]).startswith(" "):
            words.append(([], starts[t]))
        words[-1][0].append(i)
    spelt = [(decode(word).strip(), start) for word, start in words]
    return [(word, start) for word, start in spelt if word]
