"""What a computation costs, counted: operations, steps that wait for each other, and
bytes kept for the backward pass. None of these depends on how fast or busy a machine is.
Where a time has to be measured, `fastest` takes the least disturbed of several rounds.
"""

import math
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_operations(computation):
    """The floating-point operations of all matrix products, 2abc for (a, b) by (b, c).

    computation: a function without arguments. Attention is counted whole: PyTorch's
    counter has no entry for its fused kernel on a CPU, so the same work is done as
    plain products. Softmax, norms and activations are left out.
    """
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        computation()
    return counter.get_total_flops()


def longest_chain(result):
    """How many operations had to wait for each other until a tensor was there: the
    longest path through the record that autograd keeps.

    Raises ValueError for a tensor without a record.
    """
    if result.grad_fn is None:
        raise ValueError(
            "result must come from tensors that require gradients, got none"
        )
    length, waiting = {None: 0}, [result.grad_fn]
    while waiting:
        before = [node for node, _ in waiting[-1].next_functions]
        if missing := [node for node in before if node not in length]:
            waiting += missing
        else:
            length[waiting.pop()] = 1 + max((length[n] for n in before), default=0)
    return length[result.grad_fn]


def bytes_kept(computation):
    """The memory, in bytes, of all that a computation keeps for its backward pass, each
    storage counted once. computation: a function without arguments.
    """
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        # with the tensor, which so stays alive and is counted once
        kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        computation()
    return sum(size for size, _ in kept.values())


def fastest(runs, rounds, clock=time.perf_counter):
    """Seconds of each run in its fastest round, {name: seconds}.

    runs: {name: function without arguments}, which take turns, so that whatever else
    the computer does slows all of them. The fastest round is the one that was disturbed
    least. clock: seconds from anywhere.
    """
    best = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best
