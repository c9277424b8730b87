"""Checks for lesson 1.1, from rules to learning."""

import functools
import random
from collections import Counter, defaultdict

from tfbook.data.recorded import recorded
from tfbook.exercises.report import (
    checked,
    described,
    function,
    outside,
    share,
    strings,
)
from tfbook.tasks.pronunciation.counts import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import letter_by_letter


@checked
def check_cheese(answer):
    """The list of sounds that MostFrequentSound gives for cheese."""
    answer = strings(answer)
    wanted = _most_frequent("cheese")
    if len(answer) != len(wanted):
        return "it gives one sound for each letter, and knows no silent ones"
    if answer != wanted:
        return (
            "look each letter up in the printed table: its neighbours don't count"
        )


@functools.cache
def _most_frequent(word):
    return MostFrequentSound(load_pronunciation()["train"]).pronounce(word)


@checked
def check_sound_of_each_letter(answer):
    """A function from alignments to {letter: its most frequent phones, a tuple}."""
    table = function(answer, "alignments")
    generator = random.Random(0)
    for _ in range(20):
        alignments = [_alignment(generator) for _ in range(50)]
        counts = defaultdict(Counter)
        for alignment in filter(None, alignments):
            word = "".join(letters for letters, _ in alignment)
            pairs = zip(word, letter_by_letter(alignment), strict=True)
            for letter, phones in pairs:
                counts[letter][phones] += 1
        if any(_tied(phones) for phones in counts.values()):
            continue
        result = table(alignments)
        if not isinstance(result, dict):
            return f"return a dictionary, got {described(result)}"
        if result.keys() != counts.keys():
            return f"its keys should be the letters {sorted(counts)}, got {list(result)}"
        for letter, phones in counts.items():
            wanted = phones.most_common(1)[0][0]
            if not isinstance(result[letter], tuple) or result[letter] != wanted:
                return (
                    f"{letter} is {wanted} most often, got {result[letter]!r}: is "
                    "silence counted, as the empty tuple?"
                )


@checked
def check_narrow_window(answer):
    """The word error rate of the lesson's network with one letter on either side."""
    answer = share(answer)
    tried = recorded("1-background/words_to_learn_from.json")["reach"]
    found = [run["WER"] for name, run in tried.items() if name.split()[0] == "1"]
    # those networks saw as many words, other ones, and twice as often
    if not outside(answer, found, 0.03):
        return None
    if answer < min(found):
        return "too good for one letter on either side: was reach=1 given?"
    return "worse than it should be: are the epochs and the words the lesson's?"


def _alignment(generator):
    """An alignment of two to five units, or None now and then."""
    units = [
        *(("a", ("AE",)), ("a", ("EY",)), ("e", ()), ("e", ("EH",))),
        *(("sh", ("SH",)), ("s", ("S",)), ("h", ("HH",)), ("x", ("K", "S"))),
    ]
    if generator.random() < 0.1:
        return None
    weights = (3, 1, 4, 2, 3, 1, 1, 2)
    return generator.choices(units, weights, k=generator.randint(2, 5))


def _tied(counts):
    best = counts.most_common(2)
    return len(best) == 2 and best[0][1] == best[1][1]
