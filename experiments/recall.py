"""Who remembers the first symbol? RNNs, LSTMs and one layer of self-attention, by distance.

Each system and distance tries three learning rates on a seed of its own and takes the one
with the lowest loss on new sequences; then three other seeds run at that rate. Everybody
gets the same steps, batches and sequences, and about 5,000 parameters. The recurrent
layers are PyTorch's, which lesson 2.1 shows to be the book's, and which are faster. About
ten minutes on two cores.
"""

from concurrent.futures import ProcessPoolExecutor

import torch
import torch.nn.functional as F
from provenance import write
from torch import nn

from tfbook import MultiHeadAttention, TransformerConfig
from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.tasks.recall import RECALL, VOCAB, recall
from tfbook.training.presets import preset

SEEDS, TUNING_SEED = (0, 1, 2), 100
DISTANCES = (2, 5, 10, 20, 50, 100)
RATES = (1e-3, 3e-3, 1e-2)
RECIPE = preset(RECALL)
BATCH, WIDTH = 64, RECIPE.d_model


class SelfAttention(MultiHeadAttention):
    """The layer asked by the sequence itself."""

    def forward(self, x):
        return super().forward(x, x, x)


def rnn(orthogonal=False):
    layer = nn.RNN(WIDTH, 50, batch_first=True)
    if orthogonal:
        nn.init.orthogonal_(layer.weight_hh_l0)
    return layer, 50


def lstm(forget_bias=0.0):
    layer = nn.LSTM(WIDTH, 20, batch_first=True)
    with torch.no_grad():
        layer.bias_ih_l0[20:40] += forget_bias
    return layer, 20


SYSTEMS = {
    "RNN": rnn,
    "RNN, orthogonal start": lambda: rnn(orthogonal=True),
    "LSTM": lstm,
    "LSTM, forget bias +3": lambda: lstm(forget_bias=3.0),
    "self-attention": lambda: (
        init_weights(SelfAttention(WIDTH, RECIPE.n_heads)),
        WIDTH,
    ),
}


class Recaller(nn.Module):
    """Ids (B, T) to logits (B, V), read from the layer's output at the last position."""

    def __init__(self, name):
        super().__init__()
        positions = "sinusoidal" if name == "self-attention" else "none"
        config = TransformerConfig(
            d_model=WIDTH, n_heads=1, dropout=0.0, positions=positions
        )
        self.embedding = init_weights(InputEmbedding(VOCAB, config))
        self.layer, width = SYSTEMS[name]()
        self.output = nn.Linear(width, VOCAB)

    def forward(self, ids):
        return self.output(self.layer(self.embedding(ids))[0][:, -1])


def run(name, distance, rate, seed):
    """Train once; returns the loss in nats and the accuracy on 2,000 new sequences."""
    torch.manual_seed(seed)
    model = Recaller(name)
    optimizer = torch.optim.Adam(model.parameters(), rate)
    drawn = recall(RECIPE.steps * BATCH, distance, 1000 + seed)
    for ids, truth in zip(*(x.split(BATCH) for x in drawn), strict=True):
        optimizer.zero_grad()
        F.cross_entropy(model(ids), truth).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    ids, truth = recall(2000, distance, 2000 + seed)
    with torch.no_grad():
        logits = model(ids)  # (2000, V)
    right = (logits.argmax(-1) == truth).double().mean().item()
    return F.cross_entropy(logits, truth).item(), round(right, 4)


def tuned(task):
    """One system at one distance: its best rate, what each rate gave, and three seeds."""
    name, distance = task
    torch.set_num_threads(1)
    tried = {rate: run(name, distance, rate, TUNING_SEED) for rate in RATES}
    best = min(tried, key=tried.get)
    found = {
        "rate": best,
        "tuning accuracy": [right for _, right in tried.values()],
        "accuracy": [run(name, distance, best, seed)[1] for seed in SEEDS],
    }
    print(name, distance, found, flush=True)
    return found


def main():
    tasks = [(name, distance) for distance in DISTANCES for name in SYSTEMS]
    with ProcessPoolExecutor(2) as workers:
        results = dict(zip(tasks, workers.map(tuned, tasks), strict=True))
    numbers = {"distances": DISTANCES, "steps": RECIPE.steps, "systems": {}}
    for name in SYSTEMS:
        size = sum(p.numel() for p in Recaller(name).parameters())
        numbers["systems"][name] = {"parameters": size} | {
            key: [results[name, distance][key] for distance in DISTANCES]
            for key in ("rate", "tuning accuracy", "accuracy")
        }
    write("recall", numbers, SEEDS)


if __name__ == "__main__":
    main()
