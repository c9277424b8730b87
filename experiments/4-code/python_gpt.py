"""Does a small GPT write Python better than counting does? Bits per byte, and what
share of its functions parses.

Scores the shipped weights of lesson 4.7, Kneser-Ney n-grams of the same ids and of bytes,
and lzma, on validation files, and the chosen ones on test files. train_python_gpt.py
makes the weights.
"""

import itertools
import lzma
from functools import cache, partial
from statistics import median

import torch
from run import Experiment, numbers

from tfbook.data.byte_pairs import BytePairs
from tfbook.decoding import sample
from tfbook.metrics import bits_per_byte, surprises
from tfbook.tasks.python_source.gpt import (
    NAME,
    load_python_gpt,
)
from tfbook.tasks.python_source.grammar import judged_lines, parses
from tfbook.tasks.python_source.source import (
    load_python_source,
    one_text,
    prompts,
)
from tfbook.tasks.python_source.token_ngrams import TokenNGrams
from tfbook.weights.stored import read_card

VOCAB_SIZE, LENGTH = 1024, 256
N_SAMPLED, N_BYTES = 129, 256  # ids written, and the bytes of them that are judged
ORDERS = {
    1024: (3, 4, 5, 6),
    256: (6,),
}  # of n-grams, by the size of the vocabulary
SETTINGS = {
    "temperature 1": {},
    "top-p 0.9": {"top_p": 0.9},
}


def coded(side, vocabulary):
    """A side's files as ids, a list, and how many bytes they are."""
    text = one_text(load_python_source()[side])
    return vocabulary.encode(text), len(text.encode())


def judged(answers):
    """How many of the functions parse, and the median length of what was judged."""
    pieces = [byte_pairs().decode(ids) for ids in answers]
    pairs = list(zip(functions(), pieces, strict=True))
    found = [parses(p.head, x, N_BYTES) for p, x in pairs]
    lengths = [len("\n".join(judged_lines(p.head, x, N_BYTES))) for p, x in pairs]
    return {"parse": sum(found), "of": len(found), "median judged": median(lengths)}


@cache
def byte_pairs():
    return load_python_gpt()[1]


@cache
def functions():
    """Prompts of the validation files, each the head of a function."""
    files = load_python_source()["validation"]
    return prompts(files, byte_pairs(), 128, N_BYTES)


def counting_bits(size, order, _):
    """Bits per byte of n-grams on validation files."""
    cut = BytePairs(byte_pairs().merges[: size - 256])
    held_out, n_bytes = coded("validation", cut)
    model = TokenNGrams(coded("train", cut)[0], order, size)
    return round(bits_per_byte(model.surprises(held_out), n_bytes), 3)


def best_order():
    """The order that scored best on validation files."""
    bits = numbers("python_gpt")["n-grams"]["bits per byte"]
    names = {
        f"{order}-grams of {VOCAB_SIZE} ids": order for order in ORDERS[VOCAB_SIZE]
    }
    return names[min(names, key=bits.get)]


def sample_counting(seeds):
    """What the best n-grams write."""
    model = TokenNGrams(coded("train", byte_pairs())[0], best_order(), VOCAB_SIZE)
    samples = {}
    for name, settings in SETTINGS.items():
        samples[name] = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            answers = [
                model.sample(list(p.ids), N_SAMPLED, generator, **settings)
                for p in functions()
            ]
            samples[name].append(judged(answers))
    return samples


def score_files(_):
    """What the files themselves go on with."""
    return judged([byte_pairs().encode(p.rest)[:N_SAMPLED] for p in functions()])


def score_gpt(seeds):
    model, vocabulary = load_python_gpt()
    samples = {}
    for name, settings in SETTINGS.items():
        samples[name] = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            start = torch.tensor([p.ids for p in functions()])
            # -1 is no id: none ends a sample, and all have the same length
            answers = sample(
                model, None, start, -1, N_SAMPLED, generator=generator, **settings
            )
            samples[name].append(judged(answers.tolist()))
    ids = torch.tensor(coded("validation", vocabulary)[0])
    return {
        "bits per byte": read_card(NAME)["validation bits per byte"],
        "nats by place in the window": by_place(model, ids),
        "parameters": sum(p.numel() for p in model.parameters()),
        "samples": samples,
    }


def by_place(model, ids):
    """Mean nats at places 1, 2, 3-4, 5-8 and so on of windows that start afresh."""
    rows = ids[: len(ids) // (LENGTH + 1) * (LENGTH + 1)].view(-1, LENGTH + 1)[
        ::4
    ]  # (B, T + 1), every fourth
    with torch.no_grad():
        logits = [model(piece[:, :-1]) for piece in rows.split(50)]
    nats = torch.cat(
        [
            torch.nn.functional.cross_entropy(
                x.transpose(1, 2), y[:, 1:], reduction="none"
            )  # (B, T)
            for x, y in zip(logits, rows.split(50), strict=True)
        ]
    )
    ends = [0, *(2**i for i in range(9))]
    return {
        f"{a + 1}-{b}": round(nats[:, a:b].mean().item(), 4)
        for a, b in itertools.pairwise(ends)
    }


def lzma_size(content):
    return 8 * len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


def score_lzma(_):
    """What lzma makes of the validation text, alone and after the training text."""
    files = load_python_source()
    train, held_out = (one_text(files[s]).encode() for s in ("train", "validation"))
    more = lzma_size(train + held_out) - lzma_size(train)
    return {
        "alone": round(lzma_size(held_out) / len(held_out), 4),
        "after training text": round(more / len(held_out), 4),
    }


def lzma_on_test(_):
    content = one_text(load_python_source()["test"]).encode()
    return round(lzma_size(content) / len(content), 4)


def gpt_on_test(_):
    model, vocabulary = load_python_gpt()
    ids, n_bytes = coded("test", vocabulary)
    return round(bits_per_byte(surprises(model, torch.tensor(ids)), n_bytes), 4)


def counting_on_test(_):
    model = TokenNGrams(coded("train", byte_pairs())[0], best_order(), VOCAB_SIZE)
    ids, n_bytes = coded("test", byte_pairs())
    return round(bits_per_byte(model.surprises(ids), n_bytes), 4)


experiment = Experiment(
    __file__,
    {
        "bytes": lambda _: coded("validation", byte_pairs())[1],
        "ids": lambda _: len(coded("validation", byte_pairs())[0]),
        "GPT": score_gpt,
        "n-grams": {
            "bits per byte": {
                f"{order}-grams of {size} ids": partial(counting_bits, size, order)
                for size, orders in ORDERS.items()
                for order in orders
            },
            "samples": sample_counting,
        },
        "the files themselves": score_files,
        "lzma": score_lzma,
        "test files": {
            "GPT": gpt_on_test,
            "n-grams": counting_on_test,
            "lzma, alone": lzma_on_test,
        },
    },
    seeds=(0, 1, 2),
    minutes=20,
    tests=("test files/*",),
)
