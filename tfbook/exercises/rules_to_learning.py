"""Checks for lesson 1.1, from rules to learning."""

import random
from collections import Counter, defaultdict

from tfbook.exercises.report import checked
from tfbook.tasks.pronunciation.counts import MostFrequentSound
from tfbook.tasks.pronunciation.dictionary import load_pronunciation
from tfbook.tasks.pronunciation.window import letter_by_letter


@checked
def check_cheese(answer):
    """The list of sounds that MostFrequentSound says for cheese."""
    if not isinstance(answer, (list, tuple)):
        return 'give a list of sounds, such as ["K", "AH", "T"]'
    said = MostFrequentSound(load_pronunciation()["train"]).pronounce("cheese")
    if len(answer) != len(said):
        return "it says one sound for each letter, and knows no silent ones"
    if list(answer) != said:
        return (
            "look each letter up in the printed table: its neighbours don't count"
        )


@checked
def check_sound_of_each_letter(answer):
    """A function from alignments to {letter: its most frequent phones, a tuple}."""
    draw = random.Random(0)
    for _ in range(20):
        alignments = [_cut(draw) for _ in range(50)]
        counts = defaultdict(Counter)
        for cut in filter(None, alignments):
            word = "".join(letters for letters, _ in cut)
            for letter, phones in zip(word, letter_by_letter(cut), strict=True):
                counts[letter][phones] += 1
        if any(_tied(found) for found in counts.values()):
            continue
        said = answer(alignments)
        if not isinstance(said, dict):
            return f"return a dictionary, got {type(said).__name__}"
        if said.keys() != counts.keys():
            return (
                f"its keys should be the letters {sorted(counts)}, got {list(said)}"
            )
        for letter, found in counts.items():
            if said[letter] != found.most_common(1)[0][0]:
                return (
                    f"{letter} says {found.most_common(1)[0][0]} most often, got "
                    f"{said[letter]!r}: is silence counted, as the empty tuple?"
                )


@checked
def check_narrow_window(answer):
    """The word error rate of the lesson's network with one letter on either side."""
    if not isinstance(answer, float) or not 0 <= answer <= 1:
        return "give the word error rate as a share from 0 to 1, a float"
    if answer < 0.62:
        return "too good for one letter on either side: was reach=1 given?"
    if answer > 0.85:
        return "worse than it should be: are the epochs and the words the lesson's?"


def _cut(draw):
    """An alignment of two to five units, or None now and then."""
    units = [("a", ("AE",)), ("a", ("EY",)), ("e", ()), ("e", ("EH",))]
    units += [("sh", ("SH",)), ("s", ("S",)), ("h", ("HH",)), ("x", ("K", "S"))]
    if draw.random() < 0.1:
        return None
    return draw.choices(
        units, weights=(3, 1, 4, 2, 3, 1, 1, 2), k=draw.randint(2, 5)
    )


def _tied(found):
    best = found.most_common(2)
    return len(best) == 2 and best[0][1] == best[1][1]
