"""How much memory does a training step take, beside the Transformers that others use?

The systems and batches of bench.py. Counted: all that PyTorch allocates on the CPU in the
first step of a training, and the most of it that is held at once, beyond the parameters:
activations, gradients, the optimizer's state. No clock is in it, but libraries choose their
scratch space, and a repetition may differ in the last figure.
"""

from functools import partial

import torch
from run import Experiment
from torch.profiler import ProfilerActivity, profile

from .bench import DROPOUT, DTYPES, SIZES, SYSTEMS, batch, step

LENGTHS = (32, 512)


def most_held(call):
    """The most bytes held at once of those allocated while a call runs."""
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True
    ) as profiled:
        call()
    events = profiled.profiler.kineto_results.events()
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def memory(name, size, length, dtype):
    """MiB beyond the parameters in a first step."""
    *shape, tokens = size
    torch.manual_seed(0)
    model = SYSTEMS[name](*shape, DROPOUT).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4, fused=True)
    source, target = batch(tokens, length, torch.Generator().manual_seed(0))
    most = most_held(lambda: step(model, optimizer, source, target, dtype))
    return round(most / 2**20, 1)


def memories(size, dtype, length):
    return {name: memory(name, size, length, dtype) for name in SYSTEMS}


experiment = Experiment(
    __file__,
    {
        f"{size}, {kind}, {length}": partial(memories, shape, dtype, length)
        for size, shape in SIZES.items()
        for kind, dtype in DTYPES.items()
        for length in LENGTHS
    },
    seeds="no seed: bytes, of weights never scored",
    minutes=1,
    threads=0,
)
