"""How do time and memory grow with length, width, depth, batch and vocabulary?

One size at a time grows, the others stay. Counted: multiplications and additions of a
forward and a backward pass (PyTorch's counter) and the bytes that the first keeps for the
second beyond the parameters. Measured: seconds of both, medians. Each is fitted
by a power of the size, over the last four sizes, where what grows slower has faded. It
never fades wholly, so a power says less than theory: what is counted should be a
polynomial whose degree is theory's exponent. How far the nearest one is, at the worst size,
is "misfit"; beside it stands the misfit of one degree less.
"""

import dataclasses
import math
import statistics
from functools import partial

import torch
from run import Experiment

from tfbook import Transformer, TransformerConfig
from tfbook.inspect.costs import bytes_kept, count_operations
from tfbook.training.loop import sequence_loss

from .timing import seconds

BASE = TransformerConfig(1000, 1000, 128, 4, 2, 512, dropout=0.1, max_length=4096)
LENGTH, BATCH, ROUNDS = 32, 16, 5
GROWN = {
    "length": (64, 128, 256, 512, 1024, 2048, 4096),
    "length, no dropout": (64, 128, 256, 512, 1024, 2048, 4096),
    "width": (64, 128, 256, 512, 1024),
    "depth": (1, 2, 4, 8, 16),
    "batch": (4, 8, 16, 32, 64, 128),
    "vocabulary": (1000, 4000, 16000, 64000, 256000),
}
THEORY = {  # the exponents towards which operations and kept bytes go
    "length": (2, 2),
    # the fused kernel stores no weights, but the mask is as large as one head's
    "length, no dropout": (2, 2),
    "width": (2, 1),
    "depth": (1, 1),
    "batch": (1, 1),
    "vocabulary": (1, 1),
}


def setting(what, size):
    """A config, a batch and a length in which one thing has another size."""
    config, batch, length = BASE, BATCH, LENGTH
    if what.startswith("length"):
        length, batch = size, 1
        dropout = 0.0 if what.endswith("no dropout") else BASE.dropout
        config = dataclasses.replace(config, dropout=dropout)
    elif what == "width":
        config = dataclasses.replace(config, d_model=size, d_ff=4 * size)
    elif what == "depth":
        config = dataclasses.replace(config, n_layers=size)
    elif what == "batch":
        batch = size
    else:
        config = dataclasses.replace(config, source_vocab=size, target_vocab=size)
    return config, batch, length


def measure(what, size):
    """Operations, kept bytes beyond the parameters, and seconds, forward and backward."""
    config, batch, length = setting(what, size)
    torch.manual_seed(0)
    model = Transformer(config).train()
    source = torch.randint(3, 1000, (batch, length))
    target = torch.randint(3, 1000, (batch, length + 1))

    def loss():
        return sequence_loss(model(source, target[:, :-1]), target[:, 1:])

    def step():
        loss().backward()

    operations = count_operations(step)
    kept = bytes_kept(loss) - parameters_kept(model, loss)
    times = [seconds(step) for _ in range(ROUNDS)]
    return operations, kept, statistics.median(times[1:])


def parameters_kept(model, computation):
    """The bytes of those parameters that a computation keeps for its backward pass."""
    sizes, seen = {p.data_ptr(): p.nbytes for p in model.parameters()}, set()

    def note(tensor):
        seen.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        computation()
    return sum(size for address, size in sizes.items() if address in seen)


def exponent(sizes, values):
    """The slope of the straight line through the last four points, in logarithms."""
    x = torch.tensor([math.log(s) for s in sizes[-4:]], dtype=torch.float64)
    y = torch.tensor([math.log(v) for v in values[-4:]], dtype=torch.float64)
    x, y = x - x.mean(), y - y.mean()
    return round(((x @ y) / (x @ x)).item(), 2)


def misfit(sizes, values, degree):
    """The largest relative error, over all sizes, of the nearest polynomial."""
    y = torch.tensor(values, dtype=torch.float64)
    x = torch.tensor(sizes, dtype=torch.float64) / max(sizes)
    powers = x[:, None] ** torch.arange(degree + 1) / y[:, None]
    found = torch.linalg.lstsq(powers, torch.ones_like(y)[:, None]).solution
    return float(f"{(powers @ found - 1).abs().max().item():.1g}")


def grown(what):
    """What is measured at each size, the powers that fit it, and theory's."""
    sizes = GROWN[what]
    columns = zip(*(measure(what, size) for size in sizes), strict=True)
    operations, kept, times = map(list, columns)
    counted = {"operations": operations, "kept bytes": kept}
    theory = dict(zip(counted, THEORY[what], strict=True))
    return {
        "sizes": sizes,
        **counted,
        "seconds": [float(f"{t:.3g}") for t in times],
        "exponents in theory": theory,
        "exponents": {
            name: exponent(sizes, values)
            for name, values in (counted | {"seconds": times}).items()
        },
        "misfit": {
            name: [misfit(sizes, counted[name], d) for d in (degree, degree - 1)]
            for name, degree in theory.items()
        },
    }


experiment = Experiment(
    __file__,
    {what: partial(grown, what) for what in GROWN},
    seeds="no seed: counts and times, of weights never scored",
    minutes=3,
    threads=0,
)
