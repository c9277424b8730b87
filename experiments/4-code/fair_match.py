"""Recurrent or attention? Lesson 4.6's match: equal weights, equal words, equal trials.

The loop, the batches, the loss and the words are the same for both. Validation words are
halved: one half chooses each network's learning rate and depth, the other half scores. Both
networks are trained step by step in turn, in one process and on one thread, so that the
machine's load hits both alike; times are CPU time of the training steps alone.

The book's Transformer ties its output to the embedding of the sounds, and its LSTM does not.
So a Transformer with an output of its own plays, too, alone: the best of three rates around
the tied one's, for as many steps.
"""

import dataclasses
import random
import time
from functools import cache, partial

import torch
from run import Experiment, numbers

from tfbook import Transformer
from tfbook.data.batching import pad_batch
from tfbook.data.vocabulary import START, STOP
from tfbook.decoding import greedy_decode
from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import SequenceLSTM, SequenceLSTMConfig
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    SOUNDS,
    encode_pairs,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.pronouncer import Pronouncer, pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import Training
from tfbook.training.presets import preset

SEEDS = (1, 2, 3)
NAMES = ("LSTM", "Transformer")
FREE = "Transformer, untied"  # its output is a matrix of its own, as the LSTM's is
BASE = preset(PRESETS["pronunciation"])  # 2,000 steps of at most 700 ids
TRIAL = dataclasses.replace(BASE, steps=1000)
RATES = (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)
WIDTHS = {  # by layers
    "LSTM": {2: 168, 1: 228},
    "Transformer": {2: 128, 1: 180},
    FREE: {2: 128},
}
CHECKPOINTS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0)  # of the steps
VALIDATION = load_pronunciation()["validation"]
TUNING = {word: VALIDATION[word] for word in sorted(VALIDATION)[::2]}
SCORED = {word: VALIDATION[word] for word in sorted(VALIDATION)[1::2]}
SOME = dict(list(SCORED.items())[::4])  # for curves and beams
SMALL = 5000  # words


def build(name, recipe, seed):
    config = pronouncer_config(recipe)
    torch.manual_seed(seed)
    if name in ("Transformer", FREE):
        tied = name == "Transformer"
        return Transformer(dataclasses.replace(config, tie_embeddings=tied))
    vocabularies = config.source_vocab, config.target_vocab
    return SequenceLSTM(
        SequenceLSTMConfig(
            *vocabularies, recipe.d_model, recipe.n_layers, recipe.dropout
        )
    )


def recipe_of(name, layers=2, base=BASE, **changes):
    width = WIDTHS[name][layers]
    shape = {"d_model": width, "n_layers": layers, "d_ff": 4 * width}
    return dataclasses.replace(base, **shape, **changes)


@cache
def training_pairs():
    return encode_pairs(load_pronunciation()["train"])


def size(model):
    return sum(p.numel() for p in model.parameters())


def pronounced(model, words, beam=1):
    found = Pronouncer(model.eval()).pronounce_all(list(words), beam)
    return [answers[0][0] for answers in found]


def score(model, words, beam=1):
    """PER, WER, and one digit a word: 1 where it was right."""
    said = pronounced(model, words, beam)
    per, wer = error_rates(said, list(words.values()))
    right = [
        tuple(phones) in variants
        for phones, variants in zip(said, words.values(), strict=True)
    ]
    assert abs(1 - sum(right) / len(right) - wer) < 1e-9
    found = {"PER": round(per, 4), "WER": round(wer, 4)}
    return found, "".join("01"[r] for r in right)


def side_by_side(recipes, pairs, seed, curve=True):
    """Train each network of {name: recipe}, one step each in turn.

    Returns the models and {name: what is to be kept}.
    """
    models = {name: build(name, r, seed) for name, r in recipes.items()}
    runs = {n: Training(models[n], pairs, r, seed) for n, r in recipes.items()}
    spent, curves = dict.fromkeys(runs, 0.0), {name: [] for name in runs}
    stops = {
        n: {round(c * r.steps) for c in CHECKPOINTS} for n, r in recipes.items()
    }
    for step in range(1, max(r.steps for r in recipes.values()) + 1):
        for name, run in runs.items():
            if step > run.recipe.steps:
                continue
            models[name].train()
            before = time.process_time()
            run.step()
            spent[name] += time.process_time() - before
            if curve and step in stops[name]:
                found, _ = score(models[name], SOME)
                curves[name].append([step, round(spent[name], 2), found["WER"]])
    kept = {}
    for name, model in models.items():
        found, right = score(model, SCORED)
        kept[name] = {
            **found,
            "seconds": round(spent[name], 2),
            "loss": round(sum(runs[name].losses[-100:]) / 100, 4),
            **({"curve": curves[name], "right": right} if curve else {}),
        }
        print(seed, name, found, f"{spent[name]:.0f} s", flush=True)
    return models, kept


def trials(name):
    """Scores on the tuning words after half the steps of the match: five learning rates
    with two layers, then the best of them with one, wider.
    """
    found = {f"2 layers, rate {rate}": trial(name, 2, rate) for rate in RATES}
    best = min(RATES, key=lambda rate: found[f"2 layers, rate {rate}"]["WER"])
    return found | {f"1 layers, rate {best}": trial(name, 1, best)}


def trial(name, layers, rate):
    recipe = recipe_of(name, layers, TRIAL, learning_rate=rate)
    run = Training(build(name, recipe, 0), training_pairs(), recipe, 0)
    while len(run.losses) < recipe.steps:
        run.step()
    return score(run.model, TUNING)[0]


def tuning():
    """The WER of the untied Transformer's trials, at the rates around the tied one's best."""
    return {str(rate): trial(FREE, 2, rate)["WER"] for rate in RATES[:3]}


def chosen(name):
    """The recipe that did best in this network's trials."""
    if name == FREE:
        found = numbers("fair_match")["tuning"][FREE]["0"]
        return recipe_of(FREE, learning_rate=float(min(found, key=found.get)))
    found = numbers("fair_match")["trials"][name]
    best = min(found, key=lambda trial: found[trial]["WER"])
    layers, rate = best.split(" layers, rate ")
    return recipe_of(name, int(layers), learning_rate=float(rate))


def match(seed):
    """Both at their best, for equal steps; their sizes, a beam's score, and what the LSTM
    loses where it reads pads.
    """
    recipes = {name: chosen(name) for name in NAMES}
    models, kept = side_by_side(recipes, training_pairs(), seed)
    sizes = {name: size(model) for name, model in models.items()}
    assert abs(sizes["LSTM"] / sizes["Transformer"] - 1) < 0.02, sizes
    for name, model in models.items():
        kept[name] |= described(model, recipes[name])
    kept["LSTM"]["pads"] = pads_read(models["LSTM"])
    return kept


def described(model, recipe):
    """A network's size and recipe, and a beam's score."""
    return {
        "parameters": size(model),
        "recipe": dataclasses.asdict(recipe),
        "beam 4": score(model, SOME, beam=4)[0],
    }


def untied(seed):
    """The Transformer with an output of its own, alone, for as many steps."""
    recipe = chosen(FREE)
    models, kept = side_by_side({FREE: recipe}, training_pairs(), seed)
    return kept[FREE] | described(models[FREE], recipe)


def pads_read(model):
    """WER of the LSTM when words of all lengths share a batch: right, and when the
    encoder reads the pads as if they were letters.
    """
    words = list(SCORED)
    random.Random(0).shuffle(words)

    def wer():
        said = []
        for i in range(0, len(words), 128):
            source = pad_batch([LETTERS.encode(w) for w in words[i : i + 128]])
            ids = greedy_decode(model, source, START, STOP, 64)
            said += [SOUNDS.decode(row) for row in ids.tolist()]
        return round(error_rates(said, [SCORED[w] for w in words])[1], 4)

    def careless(source):
        x = model.source_embedding(source, name="source")  # (B, S, d_model)
        return model.dropout(model.encoder(x)[0])  # (B, S, d_model)

    found = {"packed": wer()}
    model.encode = careless
    found["read"] = wer()
    del model.encode
    return found


def borrowed_rate(seed):
    """Each with the other's learning rate."""
    one, two = (chosen(name) for name in NAMES)
    recipes = {
        "LSTM": dataclasses.replace(one, learning_rate=two.learning_rate),
        "Transformer": dataclasses.replace(two, learning_rate=one.learning_rate),
    }
    return side_by_side(recipes, training_pairs(), seed, curve=False)[1]


def few_words(seed, **length):
    """5,000 words for both, with and without dropout."""
    words = load_pronunciation()["train"]
    some = random.Random(seed).sample(sorted(words), SMALL)
    few, kept = encode_pairs({word: words[word] for word in some}), {}
    for dropout in (0.0, 0.2):
        recipes = {
            name: dataclasses.replace(chosen(name), dropout=dropout, **length)
            for name in NAMES
        }
        kept[f"dropout {dropout}"] = side_by_side(recipes, few, seed, False)[1]
    return kept


def small_data(seed):
    """Few words and few steps: 600."""
    return few_words(seed, steps=600, warmup=50)


def small_data_long(seed):
    """Few words, and as many steps as in the match."""
    return few_words(seed)


def larger_batches(seed):
    """Batches three times as large, for half the steps."""
    recipes = {
        name: dataclasses.replace(
            chosen(name), tokens=3 * BASE.tokens, steps=BASE.steps // 2
        )
        for name in NAMES
    }
    return side_by_side(recipes, training_pairs(), seed)[1]


PARTS = (
    *(match, untied, borrowed_rate, small_data, small_data_long),
    larger_batches,
)
experiment = Experiment(
    __file__,
    {"trials": {name: partial(trials, name) for name in NAMES}}
    | {"tuning": {FREE: {"0": tuning}}}
    | {
        part.__name__: {str(seed): partial(part, seed) for seed in SEEDS}
        for part in PARTS
    },
    seeds="in the names of the entries: 1, 2 and 3; the trials have seed 0",
    minutes=70,
)
