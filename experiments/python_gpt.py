"""Does a small GPT write Python better than counting does? Bits per byte, and what
share of its functions parses.

Scores the shipped weights of lesson 4.7, Kneser-Ney n-grams of the same ids and of bytes,
and lzma, on validation files, and the chosen ones on test files. About 20 minutes
on one core, most of them for counting. With --train FILE it trains the weights first,
which takes an hour more; FILE keeps its state, so that it can be stopped and go on.
"""

import argparse
import itertools
import lzma
from statistics import median

import torch
from provenance import touch_test, write

from tfbook.data.byte_pairs import BytePairs
from tfbook.decoding import sample
from tfbook.metrics import bits_per_byte, surprises
from tfbook.model.gpt import GPT
from tfbook.tasks.python_source.gpt import (
    NAME,
    PYTHON_GPT,
    load_python_gpt,
    python_config,
)
from tfbook.tasks.python_source.grammar import judged_lines, parses
from tfbook.tasks.python_source.source import (
    SHA256,
    load_python_source,
    one_text,
    prompts,
    windows,
)
from tfbook.tasks.python_source.token_ngrams import TokenNGrams
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import preset
from tfbook.training.progress import lines
from tfbook.weights.stored import WEIGHTS, hundredths, read_card, save_weights

VOCAB_SIZE, LENGTH, SEED, SEEDS = 1024, 256, 0, (0, 1, 2)
N_SAMPLED, N_BYTES = 129, 256  # ids written, and the bytes of them that are judged
ORDERS = {
    1024: (3, 4, 5, 6),
    256: (6,),
}  # of n-grams, by the size of the vocabulary
SETTINGS = {
    "temperature 1": {},
    "top-p 0.9": {"top_p": 0.9},
}


def train_weights(checkpoint):
    files, recipe = load_python_source()["train"], preset(PYTHON_GPT)
    vocabulary = BytePairs.train([files[n] for n in sorted(files)], VOCAB_SIZE)
    ids = torch.tensor(vocabulary.encode(one_text(files)))
    torch.manual_seed(SEED)
    model = GPT(python_config(recipe, len(vocabulary), LENGTH))
    draw = windows(ids, LENGTH, recipe.tokens // LENGTH)
    data = f"sympy {SHA256}, {len(vocabulary)} ids"
    losses = train_drawn(
        model, draw, data, recipe, SEED, lines(print), checkpoint, every=400
    )
    for p in model.parameters():
        p.data = p.data.half().float()  # what is stored is what is scored
    held_out, n_bytes = coded("validation", vocabulary)
    bits = bits_per_byte(surprises(model, torch.tensor(held_out)), n_bytes)
    card = {
        "command": "python experiments/python_gpt.py --train FILE",
        "data": {"package": "sympy 1.14.0, BSD licence", "sha256": SHA256},
        "seed": SEED,
        "recipe": vars(recipe),
        "losses in nats, hundredths of the training": hundredths(losses),
        "validation bits per byte": round(bits, 4),
        "merges": vocabulary.merges,
    }
    save_weights(model, WEIGHTS, NAME, card)


def coded(side, vocabulary):
    """A side's files as ids, a list, and how many bytes they are."""
    text = one_text(load_python_source()[side])
    return vocabulary.encode(text), len(text.encode())


def wrote(vocabulary, asked, answers):
    """How many of the functions parse, and the median length of what was judged."""
    pieces = [vocabulary.decode(ids) for ids in answers]
    found = [parses(p.head, x, N_BYTES) for p, x in zip(asked, pieces, strict=True)]
    judged = [
        len("\n".join(judged_lines(p.head, x, N_BYTES)))
        for p, x in zip(asked, pieces, strict=True)
    ]
    return {"parse": sum(found), "of": len(found), "median judged": median(judged)}


def score_counting(vocabulary, asked):
    """The n-grams: tried, chosen on validation, sampled from; numbers and the best."""
    numbers, best = {}, None
    for size, orders in ORDERS.items():
        cut = BytePairs(vocabulary.merges[: size - 256])
        train, (held_out, n_bytes) = (
            coded("train", cut)[0],
            coded("validation", cut),
        )
        for order in orders:
            model = TokenNGrams(train, order, size)
            bits = bits_per_byte(model.surprises(held_out), n_bytes)
            numbers[f"{order}-grams of {size} ids"] = round(bits, 3)
            print(
                f"{order}-grams of {size} ids: {bits:.3f} bits per byte", flush=True
            )
            if size == VOCAB_SIZE and (best is None or bits < best[0]):
                best = bits, model
            del model
    samples = {}
    for name, settings in SETTINGS.items():
        samples[name] = []
        for seed in SEEDS:
            chance = torch.Generator().manual_seed(seed)
            answers = [
                best[1].sample(list(p.ids), N_SAMPLED, chance, **settings)
                for p in asked
            ]
            samples[name].append(wrote(vocabulary, asked, answers))
        print("n-grams", name, samples[name], flush=True)
    return {"bits per byte": numbers, "samples": samples}, best[1]


def score_gpt(model, vocabulary, asked):
    samples = {}
    for name, settings in SETTINGS.items():
        samples[name] = []
        for seed in SEEDS:
            chance = torch.Generator().manual_seed(seed)
            start = torch.tensor([p.ids for p in asked])
            # -1 is no id: none ends a sample, and all have the same length
            answers = sample(
                model, None, start, -1, N_SAMPLED, generator=chance, **settings
            )
            samples[name].append(wrote(vocabulary, asked, answers.tolist()))
        print("GPT", name, samples[name], flush=True)
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


def score_lzma():
    """What lzma makes of the validation text, alone and after the training text."""
    files = load_python_source()
    train, held_out = (one_text(files[s]).encode() for s in ("train", "validation"))

    def size(content):
        return 8 * len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))

    return {
        "alone": round(size(held_out) / len(held_out), 4),
        "after training text": round(
            (size(train + held_out) - size(train)) / len(held_out), 4
        ),
    }


def score_test(model, vocabulary, counted):
    touch_test(["GPT", "n-grams", "lzma"])
    ids, n_bytes = coded("test", vocabulary)
    content = one_text(load_python_source()["test"]).encode()
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    return {
        "GPT": round(
            bits_per_byte(surprises(model, torch.tensor(ids)), n_bytes), 4
        ),
        "n-grams": round(bits_per_byte(counted.surprises(ids), n_bytes), 4),
        "lzma, alone": round(8 * len(packed) / n_bytes, 4),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", metavar="FILE")
    asked_for = parser.parse_args()
    if asked_for.train:
        train_weights(asked_for.train)
    model, vocabulary = load_python_gpt()
    ids, n_bytes = coded("validation", vocabulary)
    files = load_python_source()["validation"]
    asked = prompts(files, vocabulary, 128, N_BYTES)
    counting, counted = score_counting(vocabulary, asked)
    rest = [vocabulary.encode(p.rest)[:N_SAMPLED] for p in asked]
    numbers = {
        "bytes": n_bytes,
        "ids": len(ids),
        "GPT": score_gpt(model, vocabulary, asked),
        "n-grams": counting,
        "the files themselves": wrote(vocabulary, asked, rest),
        "lzma": score_lzma(),
        "test files": score_test(model, vocabulary, counted),
    }
    write("python_gpt", numbers, SEEDS)


if __name__ == "__main__":
    main()
