"""Kept fast: a training step and a decoded word need no more operations than recorded.

Counted, not timed: the multiplications and additions of all products, and how many kernels
PyTorch calls, forward, backward and optimizer. Neither depends on the machine's mood. Fewer
is welcome: then lower the record.
"""

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tfbook import Transformer, TransformerConfig
from tfbook.decoding import beam_search, greedy_decode
from tfbook.inspect.costs import count_operations
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import Training
from tfbook.training.presets import preset

RECORDED = {  # operations of products, kernels
    # the output, too, of pads: the model is plain, only its stacks leave them out
    "a training step": (12_378_240, 788),
    "8 symbols, greedy": (4_314_880, 612),
    "8 symbols, 4 beams": (10_036_480, 867),
}
START, STOP = 1, -1  # nothing stops: always 8 symbols


class Kernels(TorchDispatchMode):
    """Counts the calls below autograd, views left out, for they compute nothing."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if not function.is_view:
            self.calls[str(function)] += 1
        return function(*arguments, **(keywords or {}))


@pytest.fixture
def computations():
    torch.manual_seed(0)
    config = TransformerConfig(29, 43, 32, 4, 2, 64, dropout=0.1, max_length=32)
    pairs = [([3 + i % 20] * (2 + i % 9), [5] * (3 + i % 7)) for i in range(40)]
    recipe = preset(PRESETS["pronunciation"])
    training = Training(Transformer(config), pairs, recipe)
    model = Transformer(config).eval()
    source = torch.randint(3, 29, (5, 11))
    return {
        "a training step": training.step,
        "8 symbols, greedy": lambda: greedy_decode(model, source, START, STOP, 8),
        "8 symbols, 4 beams": lambda: beam_search(model, source, START, STOP, 8, 4),
    }


@pytest.mark.parametrize("name", RECORDED)
def test_it_needs_no_more_operations_than_recorded(name, computations):
    most_operations, most_kernels = RECORDED[name]
    operations = count_operations(computations[name])
    with Kernels() as counted:
        computations[name]()
    kernels = sum(counted.calls.values())
    assert 0 < operations <= most_operations, f"{operations} operations"
    assert 0 < kernels <= most_kernels, f"{kernels} kernels: {counted.calls}"


def test_the_counts_see_work_that_is_done_twice(computations):
    twice = count_operations(
        lambda: [computations["8 symbols, greedy"]() for _ in "ab"]
    )
    with Kernels() as once:
        computations["8 symbols, greedy"]()
    with Kernels() as counted:
        for _ in "ab":
            computations["8 symbols, greedy"]()
    assert twice == 2 * count_operations(computations["8 symbols, greedy"])
    assert counted.calls.total() == 2 * once.calls.total()
