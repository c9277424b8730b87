"""What does everything around the products cost? Imports, data, the command line.

    python experiments/overheads.py

Seconds that `import tfbook` takes beyond torch's own; that the command line takes to its
first word and to a thousand; that the data take: reading the dictionary, and the share of
batching in a training step. The median, the least and the most of nine runs or three, each
in a process of its own where a start is measured. About two minutes.
"""

import statistics
import subprocess
import sys
import time

import torch
from provenance import ROOT, write

from tfbook import Transformer
from tfbook.tasks.pronunciation.dictionary import encode_pairs, load_pronunciation
from tfbook.tasks.pronunciation.pronouncer import pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import Training
from tfbook.training.presets import preset

ROUNDS = 9
IMPORTS = """
import time
start = time.perf_counter()
import torch
middle = time.perf_counter()
import tfbook
print(middle - start, time.perf_counter() - middle)
"""


def python(*arguments, given=""):
    """Seconds of a run of Python, and what it printed."""
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - start, run.stdout


def data_share(steps=40):
    """Of the seconds of a training, the share in which batches are put together, and
    the seconds that reading and encoding the dictionary take.
    """
    load_pronunciation.cache_clear()
    start = time.perf_counter()
    pairs = encode_pairs(load_pronunciation()["train"])
    reading, recipe = time.perf_counter() - start, preset(PRESETS["pronunciation"])
    torch.manual_seed(0)
    training = Training(Transformer(pronouncer_config(recipe)), pairs, recipe)
    batching, batch = 0.0, training.next_batch

    def timed():
        nonlocal batching
        start = time.perf_counter()
        found = batch()
        batching += time.perf_counter() - start
        return found

    training.next_batch = timed
    training.step()  # sorts the first epoch and warms up
    first, batching = batching, 0.0
    start = time.perf_counter()
    for _ in range(steps):
        training.step()
    step = (time.perf_counter() - start) / steps
    epoch = len(training.batches) + steps + 1  # steps
    return (batching / steps + first / epoch) / step, reading


def main():
    words = sorted(load_pronunciation()["validation"])[::5][:1000]
    imports, first, thousand, shares = [], [], [], []
    for _ in range(ROUNDS):
        _, told = python("-c", IMPORTS)
        imports.append([float(x) for x in told.split()])
        first.append(python("-m", "tfbook", "pronounce", "hello")[0])
    for _ in range(3):
        lines = "\n".join(words)
        took, told = python("-m", "tfbook", "pronounce", given=lines)
        if told.count("\n") != len(words):
            raise ValueError(
                f"words must all be answered, got {told.count(chr(10))}"
            )
        thousand.append(took)
        shares.append(data_share())
    found = {
        "import torch (s)": [x for x, _ in imports],
        "import tfbook beyond it (s)": [y for _, y in imports],
        "first word, start included (s)": first,
        f"{len(words)} words, start included (s)": thousand,
        "reading and encoding the dictionary (s)": [s for _, s in shares],
        "batching, share of a training step": [s for s, _ in shares],
    }
    numbers = {
        name: [float(f"{f(values):.2g}") for f in (statistics.median, min, max)]
        for name, values in found.items()
    }
    print(numbers)
    write("overheads", numbers, "no seed: times, of weights never scored")


if __name__ == "__main__":
    main()
