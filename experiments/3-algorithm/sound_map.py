"""What does training make of the embeddings? The pronouncer of lesson 4.2, three seeds, before
and after.

For each: whether a sound's nearest neighbour is of its own class (vowel or consonant), whether
consonants that differ in voice alone lie nearer than random pairs, and the same of letters.
"""

import math
from collections import Counter
from functools import partial

import torch
from run import Experiment

from tfbook import Transformer
from tfbook.data.vocabulary import N_SPECIAL
from tfbook.tasks.pronunciation.dictionary import (
    LETTERS,
    PHONES,
    VOWELS,
    encode_pairs,
    load_pronunciation,
)
from tfbook.tasks.pronunciation.pronouncer import pronouncer_config
from tfbook.tasks.pronunciation.training import PRESETS
from tfbook.training.loop import train
from tfbook.training.presets import preset

DRAWS = 10_000
VOICED = "B-P D-T G-K V-F DH-TH Z-S ZH-SH JH-CH".split()  # partners in voice alone


def cosines(rows):
    """The cosine of each pair of rows, their mean subtracted first, -2 on the diagonal."""
    rows = rows - rows.mean(dim=0)
    rows = rows / rows.norm(dim=1, keepdim=True)
    return (rows @ rows.T).fill_diagonal_(-2)  # (V, V)


def p_value(found, draws):
    """The share of random draws that reach what was found, itself counted as one."""
    return (sum(draw >= found for draw in draws) + 1) / (len(draws) + 1)


def neighbours(rows, is_vowel, draw):
    """The share of rows whose nearest is of the same class, that of shuffled labels, and p."""
    nearest = cosines(rows).argmax(dim=1)
    share = (is_vowel[nearest] == is_vowel).double().mean().item()
    shuffled = []
    for _ in range(DRAWS):
        labels = is_vowel[torch.randperm(len(is_vowel), generator=draw)]
        shuffled.append((labels[nearest] == labels).double().mean().item())
    return share, sum(shuffled) / DRAWS, p_value(share, shuffled)


def partners(rows, draw):
    """The mean cosine of voiced and unvoiced partners, that of random pairs of consonants, and p;
    then how many of the sixteen have their partner as the nearest sound.
    """
    cosine = cosines(rows)
    pairs = [tuple(map(PHONES.index, pair.split("-"))) for pair in VOICED]
    a, b = torch.tensor(pairs).T  # (8,) each
    consonants = torch.tensor([i for i, x in enumerate(PHONES) if x not in VOWELS])
    found, random = cosine[a, b].mean().item(), []
    for _ in range(DRAWS):
        order = consonants[torch.randperm(len(consonants), generator=draw)]
        random.append(cosine[order[:8], order[8:16]].mean().item())
    nearest = cosine.argmax(dim=1)
    hits = ((nearest[a] == b).sum() + (nearest[b] == a).sum()).item()
    return found, sum(random) / DRAWS, p_value(found, random), hits


def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b.to(a)]))[0, 1].abs().item()


def measure(model, counts):
    """All numbers of one model, by name."""
    draw = torch.Generator().manual_seed(0)
    sounds = model.target_embedding.tokens.weight.detach()[N_SPECIAL:].double()
    letters = model.source_embedding.tokens.weight.detach()[N_SPECIAL:].double()
    is_vowel = torch.tensor([phone in VOWELS for phone in PHONES])
    found = neighbours(sounds, is_vowel, draw)
    names = ("nearest of own class", "with shuffled labels", "p of own class")
    numbers = dict(zip(names, found, strict=True))
    names = ("cosine of partners", "of random pairs", "p of partners")
    names = (*names, "nearest is the partner")
    numbers |= dict(zip(names, partners(sounds, draw), strict=True))
    letter_vowels = torch.tensor([letter in "aeiou" for letter in LETTERS.symbols])
    share, _, p = neighbours(letters, letter_vowels, draw)
    numbers |= {"letters: nearest of own class": share, "letters: p": p}
    axes = torch.linalg.svd(sounds - sounds.mean(dim=0), full_matrices=False)
    places = axes.U * axes.S  # (39, 39)
    spread = axes.S**2 / (axes.S**2).sum()
    frequency = torch.tensor([math.log(counts[phone]) for phone in PHONES])
    for k in (0, 1):
        numbers[f"axis {k + 1}: share of the variance"] = spread[k].item()
        numbers[f"axis {k + 1}: correlation with vowel"] = correlation(
            places[:, k], is_vowel
        )
        numbers[f"axis {k + 1}: correlation with log frequency"] = correlation(
            places[:, k], frequency
        )
    return numbers


def measures(trained, seeds):
    """Each measure of the model of each seed, before its training or after."""
    words, recipe = load_pronunciation()["train"], preset(PRESETS["pronunciation"])
    counts = Counter(x for ways in words.values() for way in ways for x in way)
    numbers = {}
    for seed in seeds:
        torch.manual_seed(seed)
        model = Transformer(pronouncer_config(recipe))
        if trained:
            train(model, encode_pairs(words), recipe, seed)
        for name, number in measure(model, counts).items():
            numbers.setdefault(name, []).append(round(number, 4))
    return numbers


experiment = Experiment(
    __file__,
    {"untrained": partial(measures, False), "trained": partial(measures, True)},
    seeds=(0, 1, 2),
    minutes=6,
    processes=2,
)
