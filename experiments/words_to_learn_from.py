"""How many words does it take to overtake rules that a person wrote?

    python experiments/words_to_learn_from.py

Five systems, each learning from so many training words drawn at random, three draws; the
network also by how far its window reaches, from 10,000 words, and with three times the
passes over all words. Word error rates on the validation words. The curves begin at 1,000
words, because fewer may lack a letter; where the n-grams still lack one by itself, their
refusal is written down instead of a score. What is in the results file is not run again.
About twenty-five minutes on one core.
"""

import json
import random
from collections import Counter, defaultdict
from functools import partial

from provenance import RESULTS, write

from tfbook.metrics import error_rates
from tfbook.tasks.pronunciation import LetterNGrams, MostFrequentSound, Rules
from tfbook.tasks.pronunciation.alignment import align
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import LetterWindow, letter_by_letter

SEEDS = (0, 1, 2)
SIZES = (1000, 3000, 10_000, 30_000, 105_726)
REACH = 3  # seven letters, as in NETtalk
REACHES, REACHES_FROM = (1, 2, 4, 5), 10_000
LETTERS_SEEN, EPOCHS = 1_600_000, 10  # the network trains until it has had both


class WindowCounts:
    """Says each letter as it was most often said in the widest window around it that
    the training words have, at most `reach` letters to either side.
    """

    def __init__(self, alignments, reach):
        self.reach, counts = reach, defaultdict(Counter)
        for cut in filter(None, alignments):
            word = "".join(letters for letters, _ in cut)
            for at, phones in enumerate(letter_by_letter(cut)):
                for window in self.windows(word, at):
                    counts[window][phones] += 1
        self.says = {
            window: found.most_common(1)[0][0] for window, found in counts.items()
        }

    def windows(self, word, at):
        """The windows around one letter, the widest first."""
        framed, at = "_" * self.reach + word + "_" * self.reach, at + self.reach
        return [framed[at - r : at + r + 1] for r in range(self.reach, -1, -1)]

    def pronounce(self, word):
        known = (
            next((w for w in self.windows(word, at) if w in self.says), None)
            for at in range(len(word))
        )
        return [phone for window in known for phone in self.says.get(window, ())]


def score(baseline, words):
    per, wer = error_rates(
        [baseline.pronounce(word) for word in words], list(words.values())
    )
    return {"PER": round(per, 4), "WER": round(wer, 4)}


def network(train, reach, seed, cuts):
    """The window network, from words and a function that has their alignments."""
    letters = sum(len(word) for word in train)
    epochs = max(EPOCHS, LETTERS_SEEN // letters)
    return LetterWindow(train, reach, 512, epochs, seed, cuts())


def systems(train, seed, cuts):
    """{system: how to make it from the words}"""
    return {
        "counts of letters": lambda: MostFrequentSound(train),
        "counts of windows": lambda: WindowCounts(cuts(), REACH),
        "network on windows": lambda: network(train, REACH, seed, cuts),
        "letter n-grams": lambda: LetterNGrams(train, alignments=cuts()),
    }


def main():
    file = RESULTS / "words_to_learn_from.json"
    numbers = json.loads(file.read_text())["numbers"] if file.exists() else {}
    words = load_pronunciation()
    train, validation = words["train"], words["validation"]

    def keep(name, key, make):
        found = numbers.setdefault(name, {})
        if key not in found:
            try:
                found[key] = score(make(), validation)
            except ValueError as refused:  # the words lack a letter by itself
                found[key] = {"refused": str(refused)}
            print(name, key, found[key], flush=True)
            write("words_to_learn_from", numbers, SEEDS)

    keep("rules", "no words, no seed", Rules)
    everything = []  # the alignments of all words, made once

    def draw(size, seed):
        """Some training words, and a function that has their alignments."""
        if size == len(train):
            few, cache = train, everything
        else:
            chosen = random.Random(seed).sample(sorted(train), size)
            few, cache = {word: train[word] for word in chosen}, []

        def cuts():
            if not cache:
                cache.extend(align((word, v) for word in few for v in few[word]))
            return cache

        return few, cuts

    for seed in SEEDS:
        for size in SIZES:
            few, cuts = draw(size, seed)
            drawn = size < len(train)
            for name, make in systems(few, seed, cuts).items():
                if drawn or seed == SEEDS[0] or name == "network on windows":
                    keep(name, f"{size} words, seed {seed}", make)
            for reach in REACHES if size == REACHES_FROM else ():
                make = partial(network, few, reach, seed, cuts)
                keep("reach", f"{reach} letters to either side, seed {seed}", make)
    _, cuts = draw(len(train), SEEDS[0])
    for seed in SEEDS:  # does the network only need more time?
        keep(
            "network, 30 passes",
            f"{len(train)} words, seed {seed}",
            lambda seed=seed: LetterWindow(train, REACH, 512, 30, seed, cuts()),
        )


if __name__ == "__main__":
    main()
