"""What does everything around the products cost? Imports, data, the command line.

Seconds that `import tfbook` takes beyond torch's own; that the command line takes to its
first word and to a thousand; that the data take: reading the dictionary, and the share of
batching in a training step. The median, the least and the most of nine runs or three, each
in a process of its own where a start is measured.
"""

import statistics
import subprocess
import sys
import time
from functools import cache, partial

import torch
from run import ROOT, Experiment

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


@cache
def imports():
    """Seconds of torch's import and of tfbook's beyond it, in processes of their own."""
    return [
        list(map(float, python("-c", IMPORTS)[1].split())) for _ in range(ROUNDS)
    ]


@cache
def shares():
    return [data_share() for _ in range(3)]


def first_word():
    return [python("-m", "tfbook", "pronounce", "hello")[0] for _ in range(ROUNDS)]


def thousand_words():
    words = sorted(load_pronunciation()["validation"])[::5][:1000]
    times = []
    for _ in range(3):
        took, printed = python("-m", "tfbook", "pronounce", given="\n".join(words))
        if printed.count("\n") != len(words):
            n = printed.count("\n")
            raise ValueError(f"words must all be answered, got {n} of {len(words)}")
        times.append(took)
    return times


def spread(measure):
    """The median, the least and the most."""
    values = measure()
    return [float(f"{f(values):.2g}") for f in (statistics.median, min, max)]


MEASURES = {
    "import torch (s)": lambda: [first for first, _ in imports()],
    "import tfbook beyond it (s)": lambda: [then for _, then in imports()],
    "first word, start included (s)": first_word,
    "1000 words, start included (s)": thousand_words,
    "reading and encoding the dictionary (s)": lambda: [s for _, s in shares()],
    "batching, share of a training step": lambda: [s for s, _ in shares()],
}
experiment = Experiment(
    __file__,
    {name: partial(spread, measure) for name, measure in MEASURES.items()},
    seeds="no seed: times, of weights never scored",
    minutes=2,
    threads=0,
)
